import Synchronization

/// How a walk gets at the bits of a word.
@usableFromInline
protocol WordAccess {
    /// The bits of `mask` that are set.
    static func bits(of word: UnsafeMutablePointer<Atomic<UInt64>>, _ mask: UInt64) -> UInt64
}

/// Leaves them set.
@usableFromInline
enum Looking: WordAccess {
    @inlinable
    @inline(__always)
    static func bits(of word: UnsafeMutablePointer<Atomic<UInt64>>, _ mask: UInt64) -> UInt64 {
        word.pointee.load(ordering: .sequentiallyConsistent) & mask
    }
}

/// Clears them, in one step, so that of all who take bits at once each bit goes to one.
@usableFromInline
enum Taking: WordAccess {
    @inlinable
    @inline(__always)
    static func bits(of word: UnsafeMutablePointer<Atomic<UInt64>>, _ mask: UInt64) -> UInt64 {
        // A look costs far less than a read-modify-write, and most words are clean.
        if mask == ~0 { return word.pointee.exchange(0, ordering: .sequentiallyConsistent) }
        guard word.pointee.load(ordering: .sequentiallyConsistent) & mask != 0 else { return 0 }
        return word.pointee.bitwiseAnd(~mask, ordering: .sequentiallyConsistent).oldValue & mask
    }
}
