import Glibc
import VMAddressSpace

/// The payload of a frame that says which pages the destination lacks, of anybody, of which everything was checked that can
/// lead outside of the blocks. Several such frames make a list; runs may come in any order, and more than once.
///
/// It is the number of runs in 4 bytes, 4 bytes that are 1 in the last frame of a list and else 0, and the runs
/// (`MemoryRun`, of the kind `zero`).
public struct MissingPages {
    /// The most runs.
    public static let runLimit = 4095
    static let headerByteCount = 8
    static let largestPayload = headerByteCount + runLimit * MemoryRun.byteCount

    public let runs: [PageRun]
    /// Whether the list ends with it.
    public let isLast: Bool

    /// - Throws: `StreamError` for anything that is no list of pages of the blocks.
    public init(_ frame: Frame, of blocks: [RAMBlock]) throws(StreamError) {
        guard frame.type == .missing else { throw frame.error(.otherMessage(frame.type)) }
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
        let flags = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard count <= Self.runLimit else { throw .runCount(count) }
        guard flags <= 1 else { throw .reservedBits }
        let byteCount = Self.headerByteCount + Int(count) * MemoryRun.byteCount
        guard payload.count == byteCount else { throw .length(expected: UInt64(byteCount), found: payload.count) }

        var runs: [PageRun] = []
        runs.reserveCapacity(Int(count))
        for index in 0..<Int(count) {
            let run = MemoryRun(base + Self.headerByteCount + index * MemoryRun.byteCount)
            let block = Int(run.block)
            guard run.kind == MemoryRun.zero else { throw .kind(run: index, run.kind) }
            guard run.count > 0 else { throw .emptyRun(index) }
            guard block < blocks.count else { throw .noSuchBlock(block, blockCount: blocks.count) }
            runs.append(try blocks[block].run(block: block, first: run.first, count: UInt64(run.count)))
        }
        self.runs = runs
        isLast = flags == 1
    }
}

/// Gathers runs of pages into frames that say what is missing.
public struct MissingPagesWriter: ~Copyable {
    private var payload: [UInt8] = []
    private var count = 0

    public init() {
        clear()
    }

    /// Adds pages, and sends what is full.
    /// - Parameter run: in a block that the receiver knows.
    public mutating func append<Failure: Error>(
        _ run: PageRun, _ send: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var first = run.pages.lowerBound
        while first < run.pages.upperBound {
            if count == MissingPages.runLimit { try flush(isLast: false, send) }
            let pages = UInt32(clamping: run.pages.upperBound - first)
            // A machine has no more blocks than frames of memory can number.
            let part = MemoryRun(
                block: UInt16(truncatingIfNeeded: run.block), kind: MemoryRun.zero, count: pages, first: first)
            withUnsafeTemporaryAllocation(byteCount: MemoryRun.byteCount, alignment: 8) { room in
                guard let base = room.baseAddress else { return }
                part.write(to: base)
                payload += UnsafeRawBufferPointer(room)
            }
            count += 1
            first += UInt64(pages)
        }
    }

    /// Ends the list.
    public consuming func finish<Failure: Error>(
        _ send: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try flush(isLast: true, send)
    }

    private mutating func flush<Failure: Error>(
        isLast: Bool, _ send: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let number = UInt32(count)
        for index in 0..<4 { payload[index] = UInt8(truncatingIfNeeded: number >> UInt32(index * 8)) }
        payload[4] = isLast ? 1 : 0
        try payload.withUnsafeBufferPointer { (bytes) throws(Failure) in try send(UnsafeRawBufferPointer(bytes)) }
        clear()
    }

    private mutating func clear() {
        payload = [UInt8](repeating: 0, count: MissingPages.headerByteCount)
        count = 0
    }
}
