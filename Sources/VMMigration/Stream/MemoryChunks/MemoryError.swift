/// Why pages of memory are refused, or cannot be sent.
public enum MemoryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A chunk that is too short for its runs, or has other bytes than they say.
    case length(expected: UInt64, found: Int)
    /// A chunk with none, or with too many.
    case runCount(UInt32)
    case reservedBits
    /// Neither data nor zeros.
    case kind(run: Int, UInt16)
    case emptyRun(Int)
    case noSuchBlock(Int, blockCount: Int)
    case outsideBlock(String, first: UInt64, count: UInt64, pageCount: UInt64)
    /// A run that starts before the one before it ends.
    case notAscending(run: Int)
    /// A page of a host that has a memory error there, or does not map it.
    case unreadable(block: Int, page: UInt64, signal: Int32)
    /// Of a block, the first page that never came.
    case missing(block: String, page: UInt64)

    public var description: String {
        switch self {
        case .length(let expected, let found): "\(found) bytes are not what \(expected) bytes of runs and pages have"
        case .runCount(let count): "\(count) runs of pages are none, or too many for a frame"
        case .reservedBits: "bits are set that have no meaning yet"
        case .kind(let run, let kind): "run \(run) of pages is of kind \(kind), which there is not"
        case .emptyRun(let run): "run \(run) of pages has no pages"
        case .noSuchBlock(let block, let count): "there is no block \(block) of memory among \(count)"
        case .outsideBlock(let name, let first, let count, let pageCount):
            "\(count) pages from page \(first) on are not in the block \"\(name)\" of \(pageCount) pages"
        case .notAscending(let run): "run \(run) of pages starts before the one before it ends"
        case .unreadable(let block, let page, let signal):
            "page \(page) of block \(block) cannot be read on this host (signal \(signal))"
        case .missing(let block, let page): "page \(page) of the block \"\(block)\" never came"
        }
    }
}
