import CTryCopy
import VMAddressSpace

/// Gathers pages into memory frames.
///
/// It copies pages first, and then looks at the copy only: whoever writes a page meanwhile makes it dirty once more, and
/// what is sent of it until then is of one piece with its checksum. Pages that are zero are sent as a run of that kind.
///
/// Threads: one at a time. Nothing is allocated but at the start.
public struct MemoryChunkWriter: ~Copyable {
    private static let pageByteCount = Int(PageSize.size4K.bytes)
    /// The room before the pages, so that these are aligned.
    private static let tableRoom =
        (MemoryChunk.largestPayload - MemoryChunk.dataPageLimit * pageByteCount + pageByteCount - 1)
        / pageByteCount * pageByteCount

    /// The runs that are closed, and from `tableRoom` on the pages.
    private let buffer: UnsafeMutableRawPointer
    private var closedRuns = 0
    /// The last run, which the next page may be a part of.
    private var open: MemoryRun?
    private var dataPages = 0

    /// What was appended; the bytes are those that were sent.
    public private(set) var counts = PageCounts()

    public init() {
        buffer = .allocate(
            byteCount: Self.tableRoom + MemoryChunk.dataPageLimit * Self.pageByteCount, alignment: Self.pageByteCount)
    }

    deinit {
        buffer.deallocate()
    }

    /// Copies pages, and sends frames that are full.
    ///
    /// - Parameters:
    ///   - run: in a block that the receiver knows.
    ///   - source: the first byte of the first page. The guest may be writing it. Faults become errors where the handlers
    ///     of `CTryCopy` are in front, and are what they are in plain code elsewhere.
    /// - Throws: `.stream` where a page cannot be read, or the block has too high a number; the pages before it are
    ///   gathered or sent. `.link`.
    public mutating func append<Sink: ByteSink>(
        _ run: PageRun, from source: UnsafeRawPointer, to writer: inout FrameWriter<Sink>
    ) throws(StreamFailure<Sink.Failure>) {
        let block = try block(of: run, writer)
        var source = source
        for page in run.pages {
            try makeRoom(block, page, needsPage: true, &writer)
            let copy = buffer + (Self.tableRoom + dataPages * Self.pageByteCount)
            let result = ctrycopy_copy_in(copy, source, Self.pageByteCount)
            guard result.signal == 0 else {
                throw .stream(
                    writer.error(.memory(.unreadable(block: run.block, page: page, signal: result.signal))))
            }
            if ZeroPage.isZero(copy) {
                add(block, MemoryRun.zero, page..<(page + 1))
            } else {
                dataPages += 1
                add(block, MemoryRun.data, page..<(page + 1))
            }
            source += Self.pageByteCount
        }
    }

    /// The same for pages that are known to be zero.
    public mutating func appendZeros<Sink: ByteSink>(
        _ run: PageRun, to writer: inout FrameWriter<Sink>
    ) throws(StreamFailure<Sink.Failure>) {
        let block = try block(of: run, writer)
        var first = run.pages.lowerBound
        while first < run.pages.upperBound {
            try makeRoom(block, first, needsPage: false, &writer)
            let end = first + min(run.pages.upperBound - first, Self.longestAddition)
            add(block, MemoryRun.zero, first..<end)
            first = end
        }
    }

    /// Sends what is gathered, if anything is.
    public mutating func flush<Sink: ByteSink>(
        to writer: inout FrameWriter<Sink>
    ) throws(StreamFailure<Sink.Failure>) {
        closeRun()
        guard closedRuns > 0 else { return }
        let tableByteCount = MemoryChunk.headerByteCount + closedRuns * MemoryRun.byteCount
        // The runs go right before the pages, so that the payload is in one piece.
        let start = buffer + (Self.tableRoom - tableByteCount)
        (start + MemoryChunk.headerByteCount).copyMemory(from: buffer, byteCount: closedRuns * MemoryRun.byteCount)
        start.storeBytes(of: UInt32(closedRuns).littleEndian, as: UInt32.self)
        start.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        let payload = UnsafeRawBufferPointer(
            start: start, count: tableByteCount + dataPages * Self.pageByteCount)
        closedRuns = 0
        dataPages = 0
        try writer.send(.memory, payload)
        counts.bytes += UInt64(FrameHeader.byteCount + payload.count)
    }

    /// So that the length of no run is beyond its 32 bits.
    private static let longestAddition: UInt64 = 1 << 30
    private static let longestRun: UInt32 = 1 << 31

    private func block<Sink: ByteSink>(
        of run: PageRun, _ writer: borrowing FrameWriter<Sink>
    ) throws(StreamFailure<Sink.Failure>) -> UInt16 {
        guard let block = UInt16(exactly: run.block) else {
            throw .stream(writer.error(.memory(.noSuchBlock(run.block, blockCount: Int(UInt16.max) + 1))))
        }
        return block
    }

    /// Sends what is gathered where a page cannot be added to it.
    @inline(__always)
    private mutating func makeRoom<Sink: ByteSink>(
        _ block: UInt16, _ page: UInt64, needsPage: Bool, _ writer: inout FrameWriter<Sink>
    ) throws(StreamFailure<Sink.Failure>) {
        guard let open else { return }
        let ascends = block > open.block || block == open.block && page >= open.end
        let isFull =
            closedRuns + 1 >= MemoryChunk.runLimit || needsPage && dataPages == MemoryChunk.dataPageLimit
        if !ascends || isFull { try flush(to: &writer) }
    }

    /// - Parameter pages: after all others, and of few enough not to overflow a run that is not too long.
    @inline(__always)
    private mutating func add(_ block: UInt16, _ kind: UInt16, _ pages: Range<UInt64>) {
        let count = UInt32(truncatingIfNeeded: pages.upperBound - pages.lowerBound)
        if kind == MemoryRun.zero { counts.zero += UInt64(count) } else { counts.data += UInt64(count) }
        if let run = open, run.block == block, run.kind == kind, run.end == pages.lowerBound,
            run.count <= Self.longestRun
        {
            open?.count += count
        } else {
            closeRun()
            open = MemoryRun(block: block, kind: kind, count: count, first: pages.lowerBound)
        }
    }

    private mutating func closeRun() {
        guard let run = open else { return }
        run.write(to: buffer + closedRuns * MemoryRun.byteCount)
        closedRuns += 1
        open = nil
    }
}

// SAFETY: The buffer has this one owner, which is not copied, and is touched within its mutating methods only.
extension MemoryChunkWriter: @unchecked Sendable {}
