import VMDirtyBitmap

/// What a bitmap should hold, worked out a page at a time.
struct PageModel {
    var pages: [Bool]
    let pageSize: UInt64
    var byteCount: UInt64

    init(byteCount: UInt64, pageSize: UInt64) {
        self.byteCount = byteCount
        self.pageSize = pageSize
        pages = Array(repeating: false, count: Int((byteCount + pageSize - 1) / pageSize))
    }

    var pageCount: UInt64 { UInt64(pages.count) }

    mutating func set(_ dirty: Bool, _ range: Range<UInt64>) {
        for page in range.clamped(to: 0..<pageCount) { pages[Int(page)] = dirty }
    }

    mutating func set(_ dirty: Bool, offset: UInt64, count: UInt64) {
        for page in 0..<pageCount {
            let first = page * pageSize
            // The page's bytes and the range's have one in common, which is below the end.
            let start = max(first, offset)
            let (sum, overflow) = offset.addingReportingOverflow(count)
            let end = min(min(first + pageSize, byteCount), overflow ? .max : sum)
            if start < end { pages[Int(page)] = dirty }
        }
    }

    mutating func grow(toByteCount byteCount: UInt64) {
        self.byteCount = max(self.byteCount, byteCount)
        let count = Int((self.byteCount + pageSize - 1) / pageSize)
        pages += Array(repeating: false, count: count - pages.count)
    }

    func dirtyPages(_ range: Range<UInt64> = AtomicBitmap.allPages) -> [UInt64] {
        range.clamped(to: 0..<pageCount).filter { pages[Int($0)] }
    }

    func runs(_ range: Range<UInt64> = AtomicBitmap.allPages) -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        for page in dirtyPages(range) {
            if let last = runs.last, last.upperBound == page {
                runs[runs.count - 1] = last.lowerBound..<(page + 1)
            } else {
                runs.append(page..<(page + 1))
            }
        }
        return runs
    }

    /// Words whose first bit is the first page of the range.
    func words(_ range: Range<UInt64>, count: Int) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: count)
        for page in dirtyPages(range) where (page - range.lowerBound) / 64 < UInt64(count) {
            words[Int((page - range.lowerBound) / 64)] |= 1 << ((page - range.lowerBound) % 64)
        }
        return words
    }
}
