import VMHost

/// The pages that a source has yet to send in post-copy: those that were asked for first, then the others, from the last that
/// was asked for onwards.
///
/// A page is handed out once. A request for one that was sent, or is not the destination's to ask for, comes to nothing: it
/// is there, or under way.
///
/// Threads: any; one adds and asks for pages, another takes them.
final class PendingPages: Sendable {
    /// What to do next.
    enum Step: Hashable {
        /// Send these, which are not pending any more. With when they were asked for, where they were.
        case send(PageRun, requested: MonotonicTime?)
        /// Nothing is pending, and nothing comes.
        case complete
        /// The other side needs no more.
        case ended
    }

    /// How the other side ended it.
    enum Ending: Hashable {
        case received(digest: UInt64)
        case released
    }

    fileprivate struct State {
        var pages: PageSet
        var requests = RequestQueue()
        var cursor = PageRun(block: 0, pages: 0..<0)
        /// Whether all that is pending is known.
        var isListed: Bool
        var ending: Ending?
        var failure: MigrationError?
    }

    let blocks: [RAMBlock]
    private let state: Monitor<State>

    /// How many pages go between two looks at what was asked for.
    static let stride: UInt64 = 32

    init(_ pages: PageSet, of blocks: [RAMBlock]) {
        self.blocks = blocks
        state = Monitor(State(pages: pages, isListed: true))
    }

    var count: UInt64 { state.withLock(\.pages.count) }

    /// Asks for pages.
    /// - Parameter run: in a block.
    /// - Throws: `refused`, where so many are asked for that nobody can be waiting for them all.
    func request(_ run: PageRun) throws(MigrationError) {
        try state.change { (state) throws(MigrationError) in
            // What comes early in a list's time may be pending in a moment; it is not before.
            guard state.pages.containsAny(of: run) else { return }
            guard state.requests.count < RequestQueue.limit else {
                throw .refused(by: .source, "\(RequestQueue.limit) requests for pages wait already")
            }
            state.requests.append(run, .now)
        }
    }

    // MARK: A new link

    /// The other side is about to say what it lacks: nothing else is pending.
    func beginList() {
        state.change { state in
            state.pages.removeAll()
            state.requests = RequestQueue()
            state.isListed = false
            state.ending = nil
            state.failure = nil
        }
    }

    /// Part of what it lacks.
    func add(_ missing: MissingPages) throws(MigrationError) {
        try state.change { (state) throws(MigrationError) in
            guard !state.isListed else { throw .refused(by: .source, "pages were said to be missing once more") }
            for run in missing.runs { state.pages.insert(run) }
            state.isListed = missing.isLast
        }
    }

    var isListed: Bool { state.withLock(\.isListed) }

    // MARK: Ends

    func end(_ ending: Ending) {
        state.change { $0.ending = ending }
    }

    /// - Returns: why it failed first.
    @discardableResult
    func fail(_ error: MigrationError) -> MigrationError {
        state.change { state in
            let first = state.failure ?? error
            state.failure = first
            return first
        }
    }

    /// Waits until the other side has ended it.
    func waitForEnd() throws(MigrationError) -> Ending {
        try state.wait { (state) throws(MigrationError) in
            if let ending = state.ending { return ending }
            if let failure = state.failure { throw failure }
            return nil
        }
    }

    /// Waits until there is something to do.
    func next() throws(MigrationError) -> Step {
        try state.wait { (state) throws(MigrationError) in
            if state.ending != nil { return .ended }
            if let failure = state.failure { throw failure }
            if let step = state.takeRequested() ?? state.takeNext(blocks) { return step }
            return state.isListed ? .complete : nil
        }
    }
}

extension PendingPages.State {
    fileprivate mutating func takeRequested() -> PendingPages.Step? {
        while let (request, time) = requests.first {
            guard let run = pages.first(in: request, limit: PendingPages.stride) else {
                requests.removeFirst()
                continue
            }
            pages.remove(run)
            cursor = PageRun(block: run.block, pages: run.pages.upperBound..<run.pages.upperBound)
            return .send(run, requested: time)
        }
        return nil
    }

    /// The next from the cursor on, and around once.
    fileprivate mutating func takeNext(_ blocks: [RAMBlock]) -> PendingPages.Step? {
        guard pages.count > 0 else { return nil }
        for turn in 0...blocks.count {
            let block = (cursor.block + turn) % blocks.count
            let first = turn == 0 ? min(cursor.pages.lowerBound, blocks[block].pageCount) : 0
            let rest = PageRun(block: block, pages: first..<blocks[block].pageCount)
            guard let run = pages.first(in: rest, limit: PendingPages.stride) else { continue }
            pages.remove(run)
            cursor = PageRun(block: block, pages: run.pages.upperBound..<run.pages.upperBound)
            return .send(run, requested: nil)
        }
        return nil
    }
}

/// Requests in the order in which they came.
private struct RequestQueue {
    /// No host has so many threads that all wait for a page.
    static let limit = 1 << 13

    private var entries: [(run: PageRun, time: MonotonicTime)] = []
    private var head = 0

    var count: Int { entries.count - head }
    var first: (run: PageRun, time: MonotonicTime)? { head < entries.count ? entries[head] : nil }

    mutating func append(_ run: PageRun, _ time: MonotonicTime) {
        entries.append((run, time))
    }

    mutating func removeFirst() {
        head += 1
        guard head * 2 >= entries.count else { return }
        entries.removeFirst(head)
        head = 0
    }
}
