import VMHost

/// The pages that somebody waits for, and since when.
///
/// Threads: any.
final class AwaitedPages: Sendable {
    private struct Page: Hashable {
        let block: Int
        let number: UInt64
    }

    private let pages = Monitor<[Page: MonotonicTime]>([:])

    /// Whether somebody waits.
    var isEmpty: Bool { pages.withLock(\.isEmpty) }

    /// All of them, the longest first.
    var inOrder: [PageRun] {
        pages.withLock { $0.sorted { $0.value < $1.value } }.map { page, _ in
            PageRun(block: page.block, pages: page.number..<(page.number + 1))
        }
    }

    /// - Parameter page: one.
    /// - Returns: whether nobody has waited for it before.
    func insert(_ page: PageRun) -> Bool {
        pages.withLock { pages in
            let key = Page(block: page.block, number: page.pages.lowerBound)
            guard pages[key] == nil else { return false }
            pages[key] = .now
            return true
        }
    }

    /// Pages have come.
    /// - Parameter body: called with how long each was waited for.
    func remove(_ run: PageRun, _ body: (Duration) -> Void) {
        let times = pages.withLock { pages -> [MonotonicTime] in
            guard !pages.isEmpty else { return [] }
            // A run may have far more pages than are waited for.
            if UInt64(run.pages.count) <= UInt64(pages.count) {
                return run.pages.compactMap { pages.removeValue(forKey: Page(block: run.block, number: $0)) }
            }
            let come = pages.keys.filter { $0.block == run.block && run.pages.contains($0.number) }
            return come.compactMap { pages.removeValue(forKey: $0) }
        }
        for time in times { body(.now - time) }
    }
}
