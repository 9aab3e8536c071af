import CTryCopy
import VMAddressSpace
import VMRegions

/// What blocks contain, as numbers to compare with those of the other side while nobody runs the guest.
///
/// A block's is the XXH3-64 of its last page, seeded with that of the page before, and so on to the first, whose seed is 0: it
/// covers all pages and their order. Pages that were never touched count as zero, and stay untouched.
struct MemoryDigest: ~Copyable {
    private static let pageByteCount = Int(PageSize.size4K.bytes)

    /// Of the page at hand: others may write the page itself, or take it away.
    private let copy: UnsafeMutableRawPointer
    private let zeroPage: UnsafeRawPointer
    private let populated = PopulatedPages()
    private var digest: UInt64 = 0

    private init() {
        copy = .allocate(byteCount: Self.pageByteCount, alignment: Self.pageByteCount)
        let zeros = UnsafeMutableRawPointer.allocate(byteCount: Self.pageByteCount, alignment: Self.pageByteCount)
        zeros.initializeMemory(as: UInt8.self, repeating: 0, count: Self.pageByteCount)
        zeroPage = UnsafeRawPointer(zeros)
    }

    deinit {
        copy.deallocate()
        zeroPage.deallocate()
    }

    /// One for each block.
    /// - Parameter contents: of the blocks, in their order.
    /// - Throws: `.unreadable`.
    static func of(_ contents: [BackingContents]) throws(MigrationError) -> [UInt64] {
        var digest = MemoryDigest()
        var digests: [UInt64] = []
        for block in contents { digests.append(try digest.take(block)) }
        return digests
    }

    private mutating func take(_ block: BackingContents) throws(MigrationError) -> UInt64 {
        digest = 0
        var next: UInt64 = 0
        for extent in block.extents {
            addZeros(byteCount: extent.bytes.lowerBound - next)
            next = extent.bytes.upperBound
            guard let place = UnsafeRawPointer(bitPattern: extent.hostAddress) else { continue }
            let pages = (extent.bytes.lowerBound >> PageSize.size4K.shift)..<(next >> PageSize.size4K.shift)
            guard block.backing.memory.isAnonymous else {
                try add(place, pages.count, block.backing.name)
                continue
            }
            // Which block it is makes no difference here.
            try populated.forEachRun(of: PageRun(block: 0, pages: pages), at: place) {
                (run, place, isPopulated) throws(MigrationError) in
                guard isPopulated else {
                    return addZeros(byteCount: UInt64(run.pages.count) << PageSize.size4K.shift)
                }
                try add(place, run.pages.count, block.backing.name)
            }
        }
        addZeros(byteCount: block.backing.byteCount - next)
        return digest
    }

    private mutating func add(
        _ place: UnsafeRawPointer, _ pageCount: Int, _ name: String
    ) throws(MigrationError) {
        for page in 0..<pageCount {
            let result = ctrycopy_copy_in(copy, place + page * Self.pageByteCount, Self.pageByteCount)
            guard result.signal == 0 else { throw .unreadable(block: name, signal: result.signal) }
            add(copy)
        }
    }

    private mutating func addZeros(byteCount: UInt64) {
        for _ in 0..<(byteCount >> PageSize.size4K.shift) { add(zeroPage) }
    }

    private mutating func add(_ page: UnsafeRawPointer) {
        digest = StreamChecksum.of(
            UnsafeRawBufferPointer(start: page, count: Self.pageByteCount), seed: digest)
    }
}
