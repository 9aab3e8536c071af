import SystemPackage
import VMState

/// What could not be done with a snapshot's file, and why. Whatever was to be written, a file that was at its path is there as
/// it was; only after `Operation.synchronizeFolder` is it the new one.
public struct SnapshotError: Error, Hashable, Sendable {
    public enum Operation: String, Hashable, Sendable {
        /// Starting to write one.
        case create
        case write
        /// Giving a finished file its name.
        case publish
        /// Making the name last. The file is complete and in its place; after a power failure it may not be.
        case synchronizeFolder
        case open
        case read
        case verify
    }

    public enum Reason: Hashable, Sendable {
        /// The kernel's answer.
        case system(Errno)
        /// `ENOSPC` or `EDQUOT`.
        case diskFull(Errno)
        /// There is one of that name, which was not to be replaced.
        case exists
        /// There is something other than a file.
        case notAFile
        /// It is one of the files that the new one is made from.
        case isSource
        /// The file would pass the process's limit on file sizes, in bytes; the kernel would send `SIGXFSZ`.
        case fileSizeLimit(UInt64)
        /// Blocks that no snapshot can have: too many or too long ones, or names that are too long or there twice.
        case blocks
        /// The pages are not all in a block.
        case outOfBounds(PageRun)
        /// Memory that was to be written could not be read: its page, and where in memory.
        case unreadable(block: String, page: UInt64, address: UInt)
        case tooMuchState(bytes: Int)
        /// The pages that have data are in too many pieces.
        case tooManyRuns
        /// An earlier call failed with this, and its pages are missing.
        case incomplete(Errno)
        /// The bytes that must be there for a snapshot are not.
        case flaw(Flaw)
        /// The data of a page is not what was written, or its hash is not.
        case badPage(block: String, page: UInt64)
        /// There are bytes where there are no pages, at an offset in the file.
        case strayBytes(UInt64)
        /// The file ends before this offset, at which there was data when it was opened.
        case cutOff(UInt64)
        /// A parent's file has another snapshot than the one that was built on.
        case otherParent(expected: SnapshotID, found: SnapshotID)
        case otherBlocks
        /// It is its own ancestor.
        case cycle
        /// A snapshot of more than 64 files.
        case tooDeep
    }

    /// What is wrong with the bytes of a file.
    public enum Flaw: Error, Hashable, Sendable {
        case notASnapshot
        case version(UInt32)
        case headerChecksum
        case reservedBits
        case identifier
        case parentIdentifier
        case fileLength(expected: UInt64, found: UInt64)
        case indexPlace
        case indexChecksum
        /// It ends within something, or goes on after the last.
        case indexLength
        case blockCount
        case blockName
        case blockPlace
        case emptyRun
        case runOrder
        case runOutOfBlock
        /// In a full snapshot, pages without data are zero without saying so.
        case zeroRun
        case hashPlace
        case parentName
        case stateLength
        case state(StateCodingError)
    }

    public var operation: Operation
    public var path: String
    public var reason: Reason

    init(_ operation: Operation, _ path: FilePath, _ reason: Reason) {
        self.operation = operation
        self.path = String(decoding: path)
        self.reason = reason
    }

    init(_ operation: Operation, _ path: FilePath, _ errno: Errno) {
        let isFull = errno == .noSpace || errno == .diskQuotaExceeded
        self.init(operation, path, isFull ? .diskFull(errno) : .system(errno))
    }
}
