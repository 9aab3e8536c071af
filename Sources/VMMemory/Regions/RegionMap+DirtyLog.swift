import VMAddressSpace
import VMDirtyBitmap

extension RegionMap {
    /// Marks the pages that a log of the kernel's (`KVM_GET_DIRTY_LOG`) says were written, in the bitmaps of the regions they
    /// are in.
    /// - Parameters:
    ///   - words: bit n of word m stands for the page of 4 KiB with the number 64 * m + n in the range. Pages beyond the last
    ///     word count as not written; bits beyond the range are ignored.
    ///   - range: may span several regions; what is in none is ignored.
    public func mergeDirtyLog(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange) {
        var index = table.lastStart(notAbove: range.start.rawValue)
        while index < table.count, (table.entries + index).start <= range.last.rawValue {
            mergeDirtyLog(words, of: range, into: table.entries + index)
            index += 1
        }
    }

    private func mergeDirtyLog(
        _ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange, into entry: UnsafeMutablePointer<RegionEntry>
    ) {
        let start = range.start.rawValue
        let (first, last) = (max(entry.start, start), min(entry.last, range.last.rawValue))
        guard first <= last else { return }
        let end = min((last - start) >> PageSize.size4K.shift + 1, UInt64(words.count) << 6)
        let bits = min((first - start) >> PageSize.size4K.shift, end)..<end
        if let bitmap = entry.pointee.bitmap, bitmap.pageSize == PageSize.size4K.bytes {
            bitmap.merge(words: words.span, bits: bits, at: first - entry.start)
        } else if entry.pointee.region.isTracking {
            words.forEachRun(in: bits) { run in
                let pages = run.upperBound - run.lowerBound
                entry.markDirty(start + run.lowerBound << PageSize.size4K.shift, pages << PageSize.size4K.shift)
            }
        }
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
