/// From a page on, up to the next entry's.
struct PlanEntry {
    enum Source: Equatable {
        case zero
        /// In which file, and which of its hashes is the first page's.
        case data(file: Int, hashIndex: UInt64)
    }

    let first: UInt64
    /// The file in the upper 16 bits, the hash in the lower 48; all ones for zero.
    private let word: UInt64

    init(first: UInt64, _ source: Source) {
        self.first = first
        word =
            switch source {
            case .zero: .max
            case .data(let file, let hashIndex): UInt64(file) << 48 | hashIndex
            }
    }

    var source: Source {
        word == .max ? .zero : .data(file: Int(word >> 48), hashIndex: word & (1 << 48 - 1))
    }

    /// What it says of a page after its first.
    func source(at page: UInt64) -> Source {
        guard case .data(let file, let hashIndex) = source else { return .zero }
        return .data(file: file, hashIndex: hashIndex + page - first)
    }
}

/// Where the pages of a block are, whichever files of a chain they are in.
struct BlockPlan {
    /// From page 0 on.
    private(set) var entries: [PlanEntry]
    let pageCount: UInt64

    /// All zero.
    init(pageCount: UInt64) {
        self.pageCount = pageCount
        entries = pageCount == 0 ? [] : [PlanEntry(first: 0, .zero)]
    }

    /// Puts over it what a file has.
    /// - Parameter hashIndex: of the first run's first page; then of what follows the last.
    mutating func overlay(_ runs: [StoredRun], file: Int, hashIndex: inout UInt64) {
        guard !runs.isEmpty else { return }
        var beneath = PlanCursor(self)
        var result: [PlanEntry] = []
        var end: UInt64 = 0
        for run in runs {
            beneath.copy(end..<run.pages.lowerBound, to: &result)
            result.append(run.pages.lowerBound, run.isZero ? .zero : .data(file: file, hashIndex: hashIndex))
            if !run.isZero { hashIndex += UInt64(run.pages.count) }
            end = run.pages.upperBound
        }
        beneath.copy(end..<pageCount, to: &result)
        entries = result
    }

    /// How many pages are data.
    var dataCount: UInt64 {
        var count: UInt64 = 0
        for (index, entry) in entries.enumerated() where entry.source != .zero {
            count += (index + 1 < entries.count ? entries[index + 1].first : pageCount) - entry.first
        }
        return count
    }

    /// The entries that say something of pages in a range of the block's.
    func entries(_ pages: Range<UInt64>) -> ArraySlice<PlanEntry> {
        guard !pages.isEmpty else { return [] }
        // Page 0 has an entry, so that there is one before.
        let start = firstEntry { $0.first > pages.lowerBound } - 1
        return entries[start..<firstEntry { $0.first >= pages.upperBound }]
    }

    /// - Parameter isPast: false for some entries and then true for the rest.
    private func firstEntry(where isPast: (PlanEntry) -> Bool) -> Int {
        var range = entries.startIndex..<entries.endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = isPast(entries[middle]) ? range.lowerBound..<middle : (middle + 1)..<range.upperBound
        }
        return range.lowerBound
    }
}

/// A walk along a plan.
private struct PlanCursor {
    private let plan: BlockPlan
    private var index = 0

    init(_ plan: BlockPlan) { self.plan = plan }

    private var end: UInt64 {
        index + 1 < plan.entries.count ? plan.entries[index + 1].first : plan.pageCount
    }

    /// - Parameter pages: after those of the call before.
    mutating func copy(_ pages: Range<UInt64>, to result: inout [PlanEntry]) {
        var page = pages.lowerBound
        while page < pages.upperBound {
            while end <= page { index += 1 }
            result.append(page, plan.entries[index].source(at: page))
            page = min(end, pages.upperBound)
        }
    }
}

extension [PlanEntry] {
    /// Adds an entry, unless the last goes on like that.
    fileprivate mutating func append(_ page: UInt64, _ source: PlanEntry.Source) {
        if let last, last.source(at: page) == source { return }
        append(PlanEntry(first: page, source))
    }
}
