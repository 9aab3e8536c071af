import VMAddressSpace
import VMDirtyBitmap
import VMHost

/// Which pages were written, by ranges that may span several regions.
extension RegionMap {
    /// Marks the pages that a log of the kernel's (`KVM_GET_DIRTY_LOG`) says were written, in the bitmaps of the regions they
    /// are in.
    /// - Parameters:
    ///   - words: bit n of word m stands for the page of 4 KiB with the number 64 * m + n in the range. Pages beyond the last
    ///     word count as not written; bits beyond the range are ignored.
    ///   - range: may span several regions; what is in none is ignored.
    public func mergeDirtyLog(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange) {
        forEachRegion(in: range, wordCount: words.count) { found, bits in
            let first = range.start.rawValue + bits.lowerBound << PageSize.size4K.shift
            if let bitmap = found.pageBitmap {
                bitmap.merge(words: words.span, bits: bits, at: first - found.start)
            } else if found.region.isTracking {
                words.forEachRun(in: bits) { run in
                    let pages = run.upperBound - run.lowerBound
                    found.markDirty(
                        range.start.rawValue + run.lowerBound << PageSize.size4K.shift, pages << PageSize.size4K.shift)
                }
            }
        }
    }

    /// Marks all of a range as written.
    /// - Parameter range: may span several regions; what is in none is ignored.
    public func markDirty(_ range: MemoryRange) {
        forEachRegion(in: range, wordCount: .max) { found, bits in
            found.markDirty(
                range.start.rawValue + bits.lowerBound << PageSize.size4K.shift,
                UInt64(bits.count) << PageSize.size4K.shift)
        }
    }

    /// Forgets what the bitmaps of the regions have marked. After it the memory may be copied.
    /// - Parameter range: may span several regions. Those whose bitmap is not of pages of 4 KiB are passed over.
    public func clearDirtyPages(of range: MemoryRange) {
        forEachRegion(in: range, wordCount: .max) { found, bits in
            let first = range.start.rawValue + bits.lowerBound << PageSize.size4K.shift
            found.pageBitmap?.clear(at: first - found.start, pageCount: UInt64(bits.count))
        }
        ProcessBarrier.heavy()
    }

    /// Takes what the bitmaps of the regions have marked. After it the memory may be copied.
    /// - Parameters:
    ///   - range: may span several regions. Those whose bitmap is not of pages of 4 KiB are passed over.
    ///   - words: ORed into, as `mergeDirtyLog` takes them. Pages beyond the last word stay marked.
    /// - Returns: how many pages were taken.
    @discardableResult
    public func harvestDirtyPages(of range: MemoryRange, into words: inout MutableSpan<UInt64>) -> UInt64 {
        var count: UInt64 = 0
        forEachRegion(in: range, wordCount: words.count) { found, bits in
            guard let bitmap = found.pageBitmap else { return }
            let first = range.start.rawValue + bits.lowerBound << PageSize.size4K.shift
            count += bitmap.take(at: first - found.start, into: &words, bits: bits)
        }
        if count > 0 { ProcessBarrier.heavy() }
        return count
    }

    /// Calls `body` with each region that has memory in the range, and the numbers of its pages there.
    private func forEachRegion(
        in range: MemoryRange, wordCount: Int, _ body: (FoundRegion, Range<UInt64>) -> Void
    ) {
        let start = range.start.rawValue
        let (bitCount, isAll) = UInt64(wordCount).multipliedReportingOverflow(by: 64)
        var index = table.lastStart(notAbove: start)
        while index < table.count, table.starts[index] <= range.last.rawValue {
            let found = table[index]
            index += 1
            let (first, last) = (max(found.start, start), min(found.last, range.last.rawValue))
            guard first <= last else { continue }
            let firstBit = (first - start) >> PageSize.size4K.shift
            let end = (last - start) >> PageSize.size4K.shift + 1
            let endBit = isAll ? end : min(end, bitCount)
            if firstBit < endBit { body(found, firstBit..<endBit) }
        }
    }
}

extension FoundRegion {
    /// The bitmap, where it is of the pages that the kernel's logs are of.
    fileprivate var pageBitmap: AtomicBitmap.BorrowedSlice? {
        bitmap.flatMap { $0.pageSize == PageSize.size4K.bytes ? $0 : nil }
    }
}

extension UnsafeBufferPointer<UInt64> {
    /// Calls `body` with each run of set bits among some.
    fileprivate func forEachRun(in bits: Range<UInt64>, _ body: (Range<UInt64>) -> Void) {
        var next = bits.lowerBound
        while true {
            let start = firstBit(from: next, to: bits.upperBound, inverting: 0)
            guard start < bits.upperBound else { return }
            next = firstBit(from: start, to: bits.upperBound, inverting: ~0)
            body(start..<next)
        }
    }

    /// The first bit that is set after an exclusive or of each word with `mask`; `end` where there is none before.
    private func firstBit(from start: UInt64, to end: UInt64, inverting mask: UInt64) -> UInt64 {
        var first = start
        while first < end {
            let word = (self[Int(first >> 6)] ^ mask) & (~0 << (first & 63))
            if word != 0 { return Swift.min(end, first & ~63 + UInt64(word.trailingZeroBitCount)) }
            first = (first | 63) + 1
        }
        return end
    }
}
