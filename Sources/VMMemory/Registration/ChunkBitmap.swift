import Glibc
import Synchronization
import VMDirtyBitmap

/// One bit per chunk of the guest's address space, read without a lock. It takes memory only where bits have been set,
/// so it can span the whole address space and chunks can gain RAM without a reader ever seeing it move.
///
/// Loads acquire and changes release: a reader that sees a bit as another thread left it also sees what that thread did
/// before, as each change is one read-modify-write of the whole word and keeps the release sequence of those before it.
@usableFromInline
struct ChunkBitmap: ~Copyable, @unchecked Sendable {
    // SAFETY: `words` points to as many atomics as `count` bits take. They live until `deinit`, and a noncopyable value
    // is only destroyed once nobody borrows it. Every index is of a bit below `count`.
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// In bits.
    @usableFromInline let count: UInt64
    /// No bit from here on has ever been set: where a search ends, however far it is asked to go.
    private let end = Atomic<UInt64>(0)

    /// A bitmap with no bit set, or nil where the host has no memory for it.
    /// - Parameter count: in bits, from 1 to 2^60.
    init?(count: UInt64) {
        let byteCount = Int(Self.byteCount(bits: count))
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
            return nil
        }
        // SAFETY: an `Atomic<UInt64>` is stored as a `UInt64` is, so one made of zero bytes holds 0, and a page is
        // aligned for it. Initialising them one by one would make all of the memory resident.
        words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: byteCount / 8)
        self.count = count
    }

    deinit {
        munmap(words, Int(Self.byteCount(bits: count)))
    }

    /// How much address space it takes, in bytes.
    static func byteCount(bits: UInt64) -> UInt64 {
        (bits + 63) / 64 * 8
    }

    /// Whether the bit of `chunk` is set; those past the end are not.
    @inlinable
    func contains(_ chunk: UInt64) -> Bool {
        guard chunk < count else { return false }
        return words[Int(truncatingIfNeeded: chunk &>> 6)].load(ordering: .acquiring) &>> (chunk & 63) & 1 != 0
    }

    /// The lowest bit that is set among `chunks`, which may reach past the end.
    @usableFromInline
    func first(in chunks: ClosedRange<UInt64>) -> UInt64? {
        let end = end.load(ordering: .acquiring)
        guard chunks.lowerBound < end else { return nil }
        return WordSpan(chunks.lowerBound...min(chunks.upperBound, end - 1)).firstSet(in: UnsafePointer(words))
    }

    /// Sets or clears the bits of `chunks`, ignoring those past the end. One thread at a time.
    func fill(_ chunks: ClosedRange<UInt64>, with value: Bool) {
        guard chunks.lowerBound < count else { return }
        let last = min(chunks.upperBound, count - 1)
        if value, last >= end.load(ordering: .relaxed) { end.store(last + 1, ordering: .releasing) }
        WordSpan(chunks.lowerBound...last).set(value, in: words)
    }
}
