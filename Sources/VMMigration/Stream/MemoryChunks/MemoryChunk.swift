import VMAddressSpace

/// The payload of a memory frame, of anybody, of which everything was checked that can lead outside of the blocks.
///
/// It is the number of runs in 4 bytes, 4 bytes of 0, the runs (`MemoryRun`), and the bytes of the pages of those that are
/// data. Runs ascend, by blocks and by pages, and have no page in common.
public struct MemoryChunk {
    /// The most pages that come with their bytes.
    public static let dataPageLimit = 64
    /// The most runs.
    public static let runLimit = 1024
    static let headerByteCount = 8
    static let largestPayload =
        headerByteCount + runLimit * MemoryRun.byteCount + dataPageLimit * Int(PageSize.size4K.bytes)

    private let payload: UnsafeRawBufferPointer
    /// How many runs it has.
    public let runCount: Int

    /// - Parameter frame: of type memory. The chunk is valid as long as its payload is.
    /// - Throws: `StreamError` for anything that is not a chunk of pages of the blocks.
    public init(_ frame: Frame, of blocks: [RAMBlock]) throws(StreamError) {
        guard frame.type == .memory else { throw frame.error(.otherMessage(frame.type)) }
        do throws(MemoryError) {
            try self.init(frame.payload, of: blocks)
        } catch {
            throw frame.error(.memory(error))
        }
    }

    init(_ payload: UnsafeRawBufferPointer, of blocks: [RAMBlock]) throws(MemoryError) {
        guard payload.count >= Self.headerByteCount, let base = payload.baseAddress else {
            throw .length(expected: UInt64(Self.headerByteCount), found: payload.count)
        }
        let count = UInt32(littleEndian: base.loadUnaligned(as: UInt32.self))
        guard count > 0, count <= Self.runLimit else { throw .runCount(count) }
        guard base.loadUnaligned(fromByteOffset: 4, as: UInt32.self) == 0 else { throw .reservedBits }
        let start = Self.headerByteCount + Int(count) * MemoryRun.byteCount
        guard payload.count >= start else { throw .length(expected: UInt64(start), found: payload.count) }

        self.payload = payload
        runCount = Int(count)
        // No sum of so few counts of 32 bits, in bytes, is beyond 64 bits.
        let byteCount = UInt64(start) + (try checkRuns(of: blocks) << PageSize.size4K.shift)
        guard byteCount == UInt64(payload.count) else { throw .length(expected: byteCount, found: payload.count) }
    }

    /// - Returns: how many pages come with their bytes.
    private func checkRuns(of blocks: [RAMBlock]) throws(MemoryError) -> UInt64 {
        var dataPages: UInt64 = 0
        var previous = PageRun(block: 0, pages: 0..<0)
        for index in 0..<runCount {
            let run = run(index)
            let block = Int(run.block)
            guard run.kind == MemoryRun.data || run.kind == MemoryRun.zero else {
                throw .kind(run: index, run.kind)
            }
            guard run.count > 0 else { throw .emptyRun(index) }
            guard block < blocks.count else { throw .noSuchBlock(block, blockCount: blocks.count) }
            let pages = try blocks[block].run(block: block, first: run.first, count: UInt64(run.count))
            guard block > previous.block || block == previous.block && run.first >= previous.pages.upperBound else {
                throw .notAscending(run: index)
            }
            previous = pages
            if run.kind == MemoryRun.data { dataPages += UInt64(run.count) }
        }
        return dataPages
    }

    private func run(_ index: Int) -> MemoryRun {
        // SAFETY: The payload has the header and `runCount` runs, and a non-null start, or there would be no chunk.
        MemoryRun(payload.baseAddress.unsafelyUnwrapped + Self.headerByteCount + index * MemoryRun.byteCount)
    }

    /// Hands over all runs in order, each with the bytes of its pages, or nil where they are zero.
    public func forEachRun<Failure>(
        _ body: (_ run: PageRun, _ bytes: UnsafeRawBufferPointer?) throws(Failure) -> Void
    ) throws(Failure) {
        var offset = Self.headerByteCount + runCount * MemoryRun.byteCount
        for index in 0..<runCount {
            let run = run(index)
            // Checked not to pass the end of its block.
            let pages = PageRun(block: Int(run.block), pages: run.first..<run.end)
            guard run.kind == MemoryRun.data else {
                try body(pages, nil)
                continue
            }
            let count = Int(run.count) << Int(PageSize.size4K.shift)
            try body(pages, UnsafeRawBufferPointer(rebasing: payload[offset..<(offset + count)]))
            offset += count
        }
    }
}

@available(*, unavailable)
extension MemoryChunk: Sendable {}
