/// Which pages of some blocks: a bit for each, which one thread at a time looks at and changes.
struct PageSet {
    private var words: [[UInt64]]
    private(set) var count: UInt64 = 0

    init(_ blocks: [RAMBlock]) {
        words = blocks.map { [UInt64](repeating: 0, count: Int(($0.pageCount + 63) / 64)) }
    }

    /// - Parameter run: in a block.
    mutating func insert(_ run: PageRun) {
        forEachWord(of: run) { (word, mask) in
            let added = mask & ~word
            word |= mask
            return added.nonzeroBitCount
        }
    }

    /// - Parameter run: in a block.
    mutating func remove(_ run: PageRun) {
        forEachWord(of: run) { (word, mask) in
            let removed = mask & word
            word &= ~mask
            return -removed.nonzeroBitCount
        }
    }

    /// What it has that another set of the same blocks has not.
    func subtracting(_ other: PageSet) -> PageSet {
        var rest = self
        other.forEachRun { rest.remove($0) }
        return rest
    }

    mutating func removeAll() {
        for block in words.indices {
            for index in words[block].indices { words[block][index] = 0 }
        }
        count = 0
    }

    /// - Parameter run: in a block.
    func containsAny(of run: PageRun) -> Bool {
        first(in: run) != nil
    }

    /// The first page of the set in a run, and those after it that are in both.
    /// - Parameters:
    ///   - run: in a block.
    ///   - limit: how many at most.
    func first(in run: PageRun, limit: UInt64 = .max) -> PageRun? {
        guard let first = nextPage(run.block, run.pages, isIn: true) else { return nil }
        let rest = first..<min(run.pages.upperBound, first + min(limit, run.pages.upperBound - first))
        let end = nextPage(run.block, rest, isIn: false) ?? rest.upperBound
        return PageRun(block: run.block, pages: first..<end)
    }

    /// Calls `body` with each run of pages, of block after block.
    func forEachRun<Failure: Error>(_ body: (PageRun) throws(Failure) -> Void) throws(Failure) {
        for block in words.indices {
            try forEachRun(in: PageRun(block: block, pages: 0..<UInt64(words[block].count * 64)), body)
        }
    }

    /// The same for those in a run.
    /// - Parameter run: in a block.
    func forEachRun<Failure: Error>(in run: PageRun, _ body: (PageRun) throws(Failure) -> Void) throws(Failure) {
        var rest = run
        while let run = first(in: rest) {
            try body(run)
            rest.pages = run.pages.upperBound..<rest.pages.upperBound
        }
    }

    /// - Parameter pages: in the block.
    private func nextPage(_ block: Int, _ pages: Range<UInt64>, isIn: Bool) -> UInt64? {
        guard !pages.isEmpty else { return nil }
        var index = Int(pages.lowerBound / 64)
        let last = Int((pages.upperBound - 1) / 64)
        var mask = UInt64.max << (pages.lowerBound % 64)
        while index <= last {
            let word = (isIn ? words[block][index] : ~words[block][index]) & mask
            if word != 0 {
                let page = UInt64(index) * 64 + UInt64(word.trailingZeroBitCount)
                return page < pages.upperBound ? page : nil
            }
            mask = .max
            index += 1
        }
        return nil
    }

    /// - Parameter body: changes the word's bits in the mask; returns how many more it has then.
    private mutating func forEachWord(of run: PageRun, _ body: (inout UInt64, _ mask: UInt64) -> Int) {
        guard !run.pages.isEmpty else { return }
        let first = Int(run.pages.lowerBound / 64)
        let last = Int((run.pages.upperBound - 1) / 64)
        var change = 0
        for index in first...last {
            var mask = UInt64.max
            if index == first { mask &= UInt64.max << (run.pages.lowerBound % 64) }
            if index == last { mask &= UInt64.max >> (63 - (run.pages.upperBound - 1) % 64) }
            change += body(&words[run.block][index], mask)
        }
        count = UInt64(Int64(count) + Int64(change))
    }
}
