import CTryCopy
import Glibc
import VMAddressSpace
import VMDirtyBitmap
import VMHost
import VMMachine
import VMRegions

/// The memory of a machine that is being filled, as blocks. It does not run yet.
///
/// Threads: any, several at once.
final class TargetMemory: Sendable {
    let blocks: [RAMBlock]
    /// Which pages have come.
    let received: ReceivedPages
    let contents: [BackingContents]
    private let filling = Monitor(Filling())

    /// The memory as nobody has touched it yet.
    private struct Filling {
        /// While it is filled for the first time.
        var memory: FreshMemory?
        /// Threads that are putting pages into it.
        var users = 0
    }

    convenience init(_ machine: Machine) throws(MigrationError) {
        try self.init(
            MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
                try machine.regions.withTurn { manager throws(RegionManagerError) in try manager.contentsToFill() }
            })
    }

    init(_ contents: [BackingContents]) throws(MigrationError) {
        self.contents = contents
        blocks = contents.map {
            RAMBlock(name: $0.backing.name, pageCount: $0.backing.byteCount / PageSize.size4K.bytes)
        }
        let blocks = blocks
        received = try MigrationError.wrap(MigrationError.bitmap) { () throws(BitmapError) in try ReceivedPages(blocks)
        }
    }

    /// Of what each block contains: see `MemoryDigest`. The machine's regions have to be as they were made.
    func digests() throws(MigrationError) -> [UInt64] { try MemoryDigest.of(contents) }

    /// The kernel provides so many bytes in one call, where it can; fewer page by page, as they are written.
    private static let providedAtOnce = 8 * Int(PageSize.size4K.bytes)

    /// Most pages that come from now on are the first at their places. Until `endFilling()` nobody else touches any.
    func beginFilling() {
        filling.withLock { $0.memory = FreshMemory(contents) }
    }

    /// Most pages have come. Any thread may say so, while others still put pages in place. When it returns, whoever touches
    /// memory finds it as other memory is.
    func endFilling() {
        let memory = filling.withLock { filling in
            defer { filling.memory = nil }
            return filling.memory
        }
        // Whoever has begun touches what is there, and would wait for ever if it went meanwhile.
        filling.wait { $0.users == 0 ? () : nil }
        memory?.end()
    }

    /// Puts the pages of a chunk in place.
    func place(_ chunk: MemoryChunk) throws(MigrationError) {
        let fresh = filling.withLock { filling in
            if filling.memory != nil { filling.users += 1 }
            return filling.memory
        }
        defer { if fresh != nil { filling.change { $0.users -= 1 } } }
        try chunk.forEachRun { (run, bytes) throws(MigrationError) in
            let isAgain = received.containsAny(of: run)
            if bytes != nil || isAgain { try place(run, bytes, isAgain: isAgain, fresh) }
            received.mark(run)
        }
    }

    /// - Parameters:
    ///   - bytes: nil for zeros.
    ///   - isAgain: whether any of the pages have come before.
    private func place(
        _ run: PageRun, _ bytes: UnsafeRawBufferPointer?, isAgain: Bool, _ fresh: FreshMemory?
    ) throws(MigrationError) {
        try forEachExtent(of: run) { (extent, pointer, offset, count) throws(MigrationError) in
            let part = bytes.map { UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)]) }
            if let fresh, fresh.includes(extent, ofBlock: run.block) {
                return try fresh.place(part, count, at: pointer, of: blocks[run.block].name)
            }
            guard let source = part?.baseAddress else { return try clear(pointer, count, run) }
            if !isAgain, !extent.isPreallocated, count >= Self.providedAtOnce {
                // That takes little more than half as long.
                _ = madvise(pointer, count, MADV_POPULATE_WRITE)
            }
            try check(ctrycopy_copy_out(pointer, source, count), run)
        }
    }

    func clear(_ run: PageRun) throws(MigrationError) {
        try forEachPlace(of: run) { (pointer, _, count) throws(MigrationError) in try clear(pointer, count, run) }
    }

    private func clear(_ pointer: UnsafeMutableRawPointer, _ count: Int, _ run: PageRun) throws(MigrationError) {
        try check(ctrycopy_fill(pointer, 0, count), run)
    }

    /// Fills pages with what a snapshot has.
    func read(_ run: PageRun, from snapshot: Snapshot) throws(MigrationError) {
        try forEachPlace(of: run) { (pointer, offset, count) throws(MigrationError) in
            let first = run.pages.lowerBound + UInt64(offset) >> PageSize.size4K.shift
            let part = PageRun(block: run.block, pages: first..<(first + UInt64(count) >> PageSize.size4K.shift))
            try MigrationError.wrap(MigrationError.snapshot) { () throws(SnapshotError) in
                try snapshot.read(part, into: UnsafeMutableRawBufferPointer(start: pointer, count: count))
            }
        }
    }

    private func check(_ result: ctrycopy_result, _ run: PageRun) throws(MigrationError) {
        guard result.signal == 0 else { throw .unwritable(block: blocks[run.block].name, signal: result.signal) }
    }

    /// - Parameter run: in a block.
    func forEachPlace(
        of run: PageRun, _ body: (UnsafeMutableRawPointer, _ offset: Int, _ count: Int) throws(MigrationError) -> Void
    ) throws(MigrationError) {
        try forEachExtent(of: run) { (_, pointer, offset, count) throws(MigrationError) in
            try body(pointer, offset, count)
        }
    }

    private func forEachExtent(
        of run: PageRun,
        _ body: (BackingContents.Extent, UnsafeMutableRawPointer, _ offset: Int, _ count: Int) throws(MigrationError) ->
            Void
    ) throws(MigrationError) {
        let bytes = run.bytes
        for extent in contents[run.block].extents where extent.bytes.overlaps(bytes) {
            let part = extent.bytes.clamped(to: bytes)
            let address = extent.hostAddress + UInt(part.lowerBound - extent.bytes.lowerBound)
            guard let pointer = UnsafeMutableRawPointer(bitPattern: address) else { continue }
            try body(extent, pointer, Int(part.lowerBound - bytes.lowerBound), part.count)
        }
    }
}
