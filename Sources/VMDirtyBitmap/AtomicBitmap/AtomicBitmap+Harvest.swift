import VMHost

/// Taking what is marked: each page goes to one harvest, and after the harvest its memory may be copied.
///
/// All harvests take an optional range of pages, and leave marks outside of it alone. Harvests of several threads may
/// overlap. A page marked before a harvest began is reported by it, unless another harvest running at the time does.
extension AtomicBitmap {
    /// Takes pages into words: bit n of word m stands for the page 64 * m + n after the first of the range.
    /// - Parameter words: ORed into, so that harvests can be accumulated: zero them first otherwise. Where they are too
    ///   few for the range, the rest of it stays marked.
    /// - Returns: how many pages were taken. `merge(words:atPage:)` puts them back.
    @discardableResult
    public func harvest(_ pages: Range<UInt64> = allPages, into words: inout MutableSpan<UInt64>) -> UInt64 {
        defer { withExtendedLifetime(self) {} }
        let capacity = UInt64(words.count).multipliedReportingOverflow(by: 64)
        let length = min(pages.upperBound - pages.lowerBound, capacity.overflow ? .max : capacity.partialValue)
        let first = pages.lowerBound
        let walk = DirtyWordWalk<Taking>(storage, first..<(first + length))
        let count = first & 63 == 0 ? words.take(walk, firstWord: first >> 6) : words.take(walk, base: first)
        if count != 0 { ProcessBarrier.heavy() }
        return count
    }

    /// Takes pages as runs: ascending, disjoint, none touching the next.
    /// - Parameter runs: appended to; reserve capacity, or use it again, and nothing is allocated.
    /// - Returns: how many pages were taken. `markDirty(pages:)` puts them back.
    @discardableResult
    public func harvest(_ pages: Range<UInt64> = allPages, into runs: inout [Range<UInt64>]) -> UInt64 {
        defer { withExtendedLifetime(self) {} }
        var found = DirtyPageRuns<Taking>(storage, pages)
        var count: UInt64 = 0
        while let run = found.next() {
            count += run.upperBound - run.lowerBound
            runs.append(run)
        }
        if count != 0 { ProcessBarrier.heavy() }
        return count
    }

    /// Takes pages as runs: ascending, disjoint, none touching the next. `body` may copy the memory of the run it is
    /// given: runs are gathered, some hundreds at a time, before they are handed out.
    ///
    /// Where `body` throws, its run and all pages not handed out yet are marked again.
    /// - Returns: how many pages were taken.
    @inlinable
    @discardableResult
    public func harvest<Failure>(
        _ pages: Range<UInt64> = allPages, _ body: (Range<UInt64>) throws(Failure) -> Void
    ) throws(Failure) -> UInt64 {
        defer { withExtendedLifetime(self) {} }
        var found = DirtyPageRuns<Taking>(storage, pages)
        // As many as share the price of a barrier, as few as the stack has room for.
        var runs = InlineArray<256, Range<UInt64>>(repeating: 0..<0)
        var batch = runs.mutableSpan
        var pageCount: UInt64 = 0
        while case let count = found.fill(&batch), count != 0 {
            ProcessBarrier.heavy()
            for index in 0..<count {
                do throws(Failure) {
                    try body(batch[index])
                } catch {
                    found.putBack(batch.span, index..<count)
                    throw error
                }
                pageCount &+= batch[index].upperBound &- batch[index].lowerBound
            }
        }
        return pageCount
    }
}
