import SystemPackage
import VMAddressSpace

/// What could not be done with memory of the host, and why. What throws one has changed nothing, except where it says
/// so.
public struct HostMemoryError: Error, Hashable, Sendable {
    /// What was asked for.
    public enum Operation: String, Hashable, Sendable {
        case reserve
        case map
        case unmap
        case move
        /// As `move`, where the range is the one that pages were to be moved to.
        case moveTo
        case protect
        case decommit
        case populate
        case countResident
        case lock
        case unlock
        case createMemfd
        case open
        case adopt
        case getLength
        case preallocate
        case punchHole
    }

    /// What stood in the way. Ranges are in bytes, counted as the operation's offset is.
    public enum Reason: Hashable, Sendable {
        /// The length is zero.
        case empty
        /// Offset or length is not a multiple of the page size.
        case misaligned(PageSize)
        /// The range passes the end of what it lies in, or 2^64.
        case outOfBounds(limit: UInt64)
        /// The file ends before the range does.
        case fileTooShort(length: UInt64)
        /// Writes to the mapping would go to a file that is open for reading only.
        case fileIsReadOnly
        /// The file is open in a way that does not let it be read.
        case fileIsNotReadable
        /// There is something other than a file.
        case notAFile(FileKind)
        /// A memfd's name is longer, in bytes of UTF-8.
        case nameTooLong(limit: Int)
        /// Memory in huge pages cannot be mapped copy-on-write: each copy would take pages that nobody reserved.
        case copyOnWriteHugePages(PageSize)
        /// Something is mapped there.
        case alreadyMapped(Range<UInt64>)
        /// Nothing is mapped there.
        case notMapped(Range<UInt64>)
        /// Some pages had been moved when the move failed, with the error, and could not be moved back: the first of them
        /// from this range.
        case stranded(Range<UInt64>, Errno)
        /// Pages in the range are locked.
        case locked(Range<UInt64>)
        /// Pages in the range are not locked.
        case notLocked(Range<UInt64>)
        /// The host's pool of huge pages has too few left.
        case tooFewHugePages(PageSize)
        /// The host has no pages of that size.
        case noHugePageSize(PageSize)
        /// The process has as many mappings as the host lets it have.
        case tooManyMappings(limit: Int)
        /// The file would pass the process's limit on file sizes; the kernel would send `SIGXFSZ`.
        case fileSizeLimit(UInt64)
        /// The kernel's answer.
        case system(Errno)
    }

    /// What a path or a descriptor leads to, other than a file.
    public enum FileKind: String, Hashable, Sendable {
        case directory = "a directory"
        case characterDevice = "a character device"
        case blockDevice = "a block device"
        case pipe = "a pipe"
        case socket = "a socket"
        case other = "no file"
    }

    /// A range as it was asked for: it may be empty, unaligned or pass 2^64.
    public struct Extent: Hashable, Sendable {
        /// In bytes from the start of the mapping, the reservation or the file.
        public var offset: UInt64
        /// In bytes.
        public var count: UInt64

        /// - Parameters:
        ///   - offset: in bytes.
        ///   - count: in bytes.
        public init(offset: UInt64, count: UInt64) {
            self.offset = offset
            self.count = count
        }
    }

    /// What was asked for.
    public var operation: Operation
    /// The range it was about, where there is one. Where there is a file, it counts in the file.
    public var extent: Extent?
    /// The path of the file it was about or the name of the memfd, where there is one.
    public var file: String?
    /// What stood in the way.
    public var reason: Reason

    package init(_ operation: Operation, _ extent: Extent? = nil, file: String? = nil, _ reason: Reason) {
        self.operation = operation
        self.extent = extent
        self.file = file
        self.reason = reason
    }
}
