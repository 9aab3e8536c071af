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

    /// Fewer pages are provided one by one, as they are written.
    private static let fewPages = 8

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
            if let fresh, fresh.includes(block: run.block) {
                if bytes != nil || received.containsAny(of: run) { try fill(run, bytes, fresh) }
            } else if let bytes {
                if run.pages.count >= Self.fewPages, !received.containsAny(of: run) { try provide(run) }
                try place(run, bytes)
            } else if received.containsAny(of: run) {
                try clear(run)
            }
            received.mark(run)
        }
    }

    /// - Parameter bytes: nil for zeros.
    private func fill(_ run: PageRun, _ bytes: UnsafeRawBufferPointer?, _ fresh: FreshMemory) throws(MigrationError) {
        try forEachPlace(of: run) { (pointer, offset, count) throws(MigrationError) in
            let part = bytes.map { UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)]) }
            try fresh.place(part, count, at: pointer, of: blocks[run.block].name)
        }
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

    /// Has the kernel provide pages in one call, where it can: that takes little more than half as long.
    private func provide(_ run: PageRun) throws(MigrationError) {
        try forEachPlace(of: run) { (pointer, _, count) throws(MigrationError) in
            _ = madvise(pointer, count, MADV_POPULATE_WRITE)
        }
    }

    private func place(_ run: PageRun, _ bytes: UnsafeRawBufferPointer) throws(MigrationError) {
        try forEachPlace(of: run) { (pointer, offset, count) throws(MigrationError) in
            guard let source = bytes.baseAddress else { return }
            try check(ctrycopy_copy_out(pointer, source + offset, count), run)
        }
    }

    func clear(_ run: PageRun) throws(MigrationError) {
        try forEachPlace(of: run) { (pointer, _, count) throws(MigrationError) in
            try check(ctrycopy_fill(pointer, 0, count), run)
        }
    }

    private func check(_ result: ctrycopy_result, _ run: PageRun) throws(MigrationError) {
        guard result.signal == 0 else { throw .unwritable(block: blocks[run.block].name, signal: result.signal) }
    }

    /// - Parameter run: in a block.
    func forEachPlace(
        of run: PageRun, _ body: (UnsafeMutableRawPointer, _ offset: Int, _ count: Int) throws(MigrationError) -> Void
    ) throws(MigrationError) {
        let bytes = run.bytes
        for extent in contents[run.block].extents where extent.bytes.overlaps(bytes) {
            let part = extent.bytes.clamped(to: bytes)
            let address = extent.hostAddress + UInt(part.lowerBound - extent.bytes.lowerBound)
            guard let pointer = UnsafeMutableRawPointer(bitPattern: address) else { continue }
            try body(pointer, Int(part.lowerBound - bytes.lowerBound), part.count)
        }
    }
}
