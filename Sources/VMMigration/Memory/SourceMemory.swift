import VMAddressSpace
import VMDirtyTracking
import VMMachine
import VMMemory
import VMRegions

/// The memory of a machine that is copied while it runs, as blocks. Its regions stay as they are while this is kept.
///
/// Threads: any, several at once.
final class SourceMemory: Sendable {
    /// In the order of `SavedBacking`.
    let blocks: [RAMBlock]
    private let hold: RegionHold
    private let contents: [BackingContents]
    /// What the guest sees, ascending.
    private let seen: [SeenPages]

    /// Pages of a block at guest-physical addresses.
    private struct SeenPages {
        let range: MemoryRange
        let block: Int
        /// Of the range's first, in the block.
        let firstPage: UInt64
    }

    init(_ machine: Machine) throws(RegionManagerError) {
        let (hold, contents, visible) = try machine.regions.withTurn { manager throws(RegionManagerError) in
            (try manager.hold(), try manager.contents(), manager.visibleMemory)
        }
        self.hold = hold
        self.contents = contents
        blocks = contents.map {
            RAMBlock(name: $0.backing.name, pageCount: $0.backing.byteCount / PageSize.size4K.bytes)
        }
        seen = visible.compactMap { piece in
            contents.firstIndex { $0.backing === piece.backing }.map { block in
                SeenPages(
                    range: piece.range, block: block, firstPage: piece.backingOffset / PageSize.size4K.bytes)
            }
        }
    }

    var pageCount: UInt64 { blocks.reduce(0) { $0 + $1.pageCount } }

    /// Of what each block contains: see `MemoryDigest`. Nobody may run the guest meanwhile.
    func digests() throws(MigrationError) -> [UInt64] { try MemoryDigest.of(contents) }

    /// Whether a block's pages are its own, and not a file's.
    func isAnonymous(_ block: Int) -> Bool { contents[block].backing.memory.isAnonymous }

    /// Calls `body` with the pages of a run that are somewhere on the host, in pieces that are in one place; what it is not
    /// called with was never touched, and is zero.
    func forEachPlace<Failure: Error>(
        of run: PageRun, _ body: (PageRun, UnsafeRawPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let bytes = run.bytes
        for extent in contents[run.block].extents where extent.bytes.overlaps(bytes) {
            let part = extent.bytes.clamped(to: bytes)
            let address = extent.hostAddress + UInt(part.lowerBound - extent.bytes.lowerBound)
            guard let pointer = UnsafeRawPointer(bitPattern: address) else { continue }
            let pages = (part.lowerBound / PageSize.size4K.bytes)..<(part.upperBound / PageSize.size4K.bytes)
            try body(PageRun(block: run.block, pages: pages), pointer)
        }
    }

    /// Calls `body` with the pages of blocks that are at guest-physical addresses.
    func forEachRun<Failure: Error>(
        at range: MemoryRange, _ body: (PageRun) throws(Failure) -> Void
    ) throws(Failure) {
        var index = seen.partitioningIndex { $0.range.last >= range.start }
        while index < seen.count, seen[index].range.start <= range.last {
            let piece = seen[index]
            index += 1
            guard let part = piece.range.intersection(range) else { continue }
            let first = piece.firstPage + (part.frames.lowerBound - piece.range.frames.lowerBound)
            try body(PageRun(block: piece.block, pages: first..<(first + part.pageCount)))
        }
    }

    /// The pages that the guest does not see, and that were written when it did: no harvest has them.
    var hiddenDirtyPages: [PageRun] {
        contents.indices.flatMap { block in
            hiddenPages(of: block).filter { contents[block].backing.bitmap.isAnyDirty($0.pages) }
        }
    }

    /// Forgets that pages were written, which have been copied.
    func clearDirtyPages(_ runs: [PageRun]) {
        for run in runs { contents[run.block].backing.bitmap.clear(run.pages) }
    }

    private func hiddenPages(of block: Int) -> [PageRun] {
        let visible = seen.filter { $0.block == block }
            .map { $0.firstPage..<($0.firstPage + $0.range.pageCount) }.sorted { $0.lowerBound < $1.lowerBound }
        var hidden: [PageRun] = []
        var next: UInt64 = 0
        for pages in visible {
            if next < pages.lowerBound { hidden.append(PageRun(block: block, pages: next..<pages.lowerBound)) }
            next = max(next, pages.upperBound)
        }
        if next < blocks[block].pageCount {
            hidden.append(PageRun(block: block, pages: next..<blocks[block].pageCount))
        }
        return hidden
    }

    /// The guest-physical ranges that pages of a block are at.
    func ranges(of run: PageRun) -> [MemoryRange] {
        seen.compactMap { piece in
            guard piece.block == run.block else { return nil }
            let pages = (piece.firstPage..<(piece.firstPage + piece.range.pageCount)).clamped(to: run.pages)
            guard !pages.isEmpty else { return nil }
            let first = piece.range.frames.lowerBound + (pages.lowerBound - piece.firstPage)
            return try? MemoryRange(frames: first..<(first + UInt64(pages.count)))
        }
    }
}
