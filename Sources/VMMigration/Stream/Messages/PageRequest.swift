import VMState

/// Pages that post-copy is to send first, because a processor waits for them.
public struct PageRequest: StreamMessage {
    /// Of anybody: `run(in:)` checks them.
    public private(set) var block: UInt64
    public private(set) var first: UInt64
    public private(set) var count: UInt64

    public init(_ run: PageRun) {
        block = UInt64(clamping: run.block)
        first = run.pages.lowerBound
        count = run.pages.upperBound - run.pages.lowerBound
    }

    /// The pages, where the blocks have them.
    /// - Throws: `MemoryError`.
    public func run(in blocks: [RAMBlock]) throws(MemoryError) -> PageRun {
        guard block < UInt64(blocks.count) else {
            throw .noSuchBlock(Int(clamping: block), blockCount: blocks.count)
        }
        return try blocks[Int(block)].run(block: Int(block), first: first, count: count)
    }

    public static let frameType = FrameType.pageRequest
    public static let kind = "stream.pageRequest"
    public static let version: UInt32 = 1

    public init() {
        self.init(PageRun(block: 0, pages: 0..<1))
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("block", &block)
        try archive.number("first page", &first)
        try archive.number("pages", &count, in: 1...UInt64.max)
    }
}
