import VMAddressSpace
import VMDirtyTracking

/// The words of a slot's dirty log.
extension UnsafeBufferPointer<UInt64> {
    /// Calls `body` with each piece of so many words that has bits, without words of zeros at its ends.
    func forEachPiece<Failure: Error>(
        of length: Int, _ body: (Int, UnsafeBufferPointer<UInt64>) throws(Failure) -> Void
    ) throws(Failure) {
        var start = 0
        while case let first = firstNonzero(from: start), first < count {
            let end = Swift.min(first + length, count)
            let last = self[first..<end].lastIndex { $0 != 0 } ?? first
            try body(first, UnsafeBufferPointer(rebasing: self[first...last]))
            start = end
        }
    }
}

/// The same, to be changed.
extension UnsafeMutableBufferPointer<UInt64> {
    /// Clears the words of `whole` that have no page of `range`.
    func clear(outside range: MemoryRange, of whole: MemoryRange) {
        guard let common = whole.intersection(range) else { return update(repeating: 0) }
        let first = Int((common.frames.lowerBound - whole.frames.lowerBound) >> 6)
        let last = Int((common.frames.upperBound - 1 - whole.frames.lowerBound) >> 6)
        self[..<first].update(repeating: 0)
        self[(last + 1)...].update(repeating: 0)
    }
}
