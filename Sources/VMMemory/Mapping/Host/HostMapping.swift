import SystemPackage
import VMAddressSpace

/// The owner of one mapping in the monitor's own address space. It is unmapped, with its guard pages, when its owner
/// goes away.
///
/// Threads: any, several at once; what they store races just as two guest CPUs race on RAM.
public struct HostMapping: ~Copyable, @unchecked Sendable {
    // SAFETY: the pointer is to a mapping that only the end of `span` removes, and a noncopyable value can only be
    // destroyed once nobody borrows it. Nothing in the monitor bases its own safety on the contents.
    /// The address of its first byte, page-aligned.
    public let baseAddress: UnsafeMutableRawPointer
    /// In bytes.
    public let count: Int
    /// What it was mapped with; `protect(_:)` may have changed it since.
    public let protection: MemoryProtection
    /// What its ranges must be multiples of.
    public let pageSize: PageSize
    /// Whether its pages are a file's, and not its own.
    let isShared: Bool
    /// All its addresses, guard pages included.
    private let span: AddressSpan

    /// How memory is mapped.
    public struct Options: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8

        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// Provides all pages now (`MADV_POPULATE_WRITE`, or `READ` where the mapping cannot be written). Where one
        /// cannot be provided, nothing is mapped. Takes Linux 5.14.
        public static let populate = Options(rawValue: 1 << 0)
        /// Puts a page that nobody can access right below and right above, so that running off either end faults
        /// instead of reaching other memory.
        public static let guardPages = Options(rawValue: 1 << 1)
        /// Asks for transparent huge pages (`MADV_HUGEPAGE`). A mapping of 2 MiB or more then starts at a multiple of
        /// 2 MiB, as guest RAM does, so that the guest's huge pages can be the host's.
        public static let transparentHugePages = Options(rawValue: 1 << 2)
        /// Counts the memory against the host's limit on promised memory (no `MAP_NORESERVE`): a host that is strict
        /// about it (vm.overcommit_memory) refuses now what it could not provide later.
        public static let commit = Options(rawValue: 1 << 3)
    }

    /// Maps zeroed pages that this mapping alone has. They are provided as they are first touched.
    ///
    /// - Parameter count: in bytes, a multiple of 4 KiB.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `tooManyMappings`; `system` with what mmap(2) says, `ENOMEM`
    ///   above all.
    public init(
        anonymous count: UInt64, protection: MemoryProtection = .readWrite, options: Options = []
    ) throws(HostMemoryError) {
        let extent = try PageExtent(.map, offset: 0, count: count, limit: UInt64(Int.max))
        let source = PageSource(anonymous: extent, commits: options.contains(.commit))
        try self.init(source, isShared: false, protection, options)
    }

    /// Maps part of a file. The mapping outlives `file`.
    ///
    /// - Parameters:
    ///   - offset: in bytes, a multiple of the file's page size.
    ///   - count: in bytes, a multiple of the file's page size.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`; `fileTooShort` where the file ends earlier; `fileIsReadOnly` for
    ///   a shared, writable mapping of a file that is not; `copyOnWriteHugePages`; `tooFewHugePages`;
    ///   `tooManyMappings`; `system` with what mmap(2) says.
    public init(
        _ file: borrowing MemoryFile, offset: UInt64 = 0, count: UInt64, sharing: MemorySharing = .shared,
        protection: MemoryProtection = .readWrite, options: Options = []
    ) throws(HostMemoryError) {
        let source = try PageSource(
            file, offset: offset, count: count, sharing: sharing, protection: protection,
            commits: options.contains(.commit))
        try self.init(source, isShared: sharing == .shared, protection, options)
    }

    /// Maps part of a backing; `offset` counts for files alone.
    /// - Throws: as the two above do.
    public init(
        _ backing: MemoryBacking, offset: UInt64 = 0, count: UInt64, protection: MemoryProtection = .readWrite,
        options: Options = []
    ) throws(HostMemoryError) {
        switch backing {
        case .anonymous:
            try self.init(anonymous: count, protection: protection, options: options)
        case .file(let shared, let sharing):
            try self.init(
                shared.file, offset: offset, count: count, sharing: sharing, protection: protection, options: options)
        }
    }

    private init(
        _ source: PageSource, isShared: Bool, _ protection: MemoryProtection, _ options: Options
    ) throws(HostMemoryError) {
        let wantsHugePages = options.contains(.transparentHugePages) && source.pageSize == .size4K
        let alignment = wantsHugePages && source.count >= PageSize.size2M.bytes ? .size2M : source.pageSize
        let base: UnsafeMutableRawPointer
        let span: AddressSpan
        if options.contains(.guardPages) || alignment != source.pageSize {
            let margin = options.contains(.guardPages) ? Int(PageSize.size4K.bytes) : 0
            span = try AddressSpan(reserving: source.count, alignment: alignment, margin: margin)
            base = span.firstAddress(alignment: alignment, margin: margin)
            try source.map(protection, at: base)
        } else {
            base = try source.map(protection)
            span = AddressSpan(owning: base, count: source.count)
        }
        let pages = HostPages(base: base, count: source.count)
        if wantsHugePages { pages.adviseTransparentHugePages() }
        if options.contains(.populate) {
            do {
                try pages.populate(protection)
            } catch {
                throw HostMemoryError(.populate, source.extent, file: source.file, .system(error))
            }
        }
        self.baseAddress = base
        self.count = source.count
        self.protection = protection
        self.pageSize = source.pageSize
        self.isShared = isShared
        self.span = span
    }
}
