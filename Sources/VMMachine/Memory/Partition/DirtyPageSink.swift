import VMAddressSpace
import VMRegions

/// Takes what dirty logs and rings had, where nobody harvests them.
protocol DirtyPageSink: Sendable {
    /// Marks pages as written: for each page of the range a bit, the first page in the lowest bit of the first word. Bits
    /// past the last page are 0.
    func merge(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange)
    /// Marks all pages of ranges.
    func markDirty(_ ranges: [MemoryRange])
}

extension DirtyLogSink: DirtyPageSink {}
