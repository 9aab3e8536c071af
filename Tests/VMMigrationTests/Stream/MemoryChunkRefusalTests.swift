import Testing
import VMMigration

@Suite("Memory frames that are refused")
struct MemoryChunkRefusalTests {
    private typealias Run = (block: UInt16, kind: UInt16, count: UInt32, first: UInt64)

    /// What a chunk of somebody who keeps to nothing comes to; nil where it is taken.
    private func refusal(_ payload: [UInt8]) throws -> MemoryError? {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try payload.withUnsafeBytes { try writer.send(.memory, $0) }
        var reader = FrameReader(BytePlayer(sink.bytes))
        var state = try StreamState(.extra).after([.hello])
        let frame = try reader.next(&state)
        do throws(StreamError) {
            _ = try MemoryChunk(frame, of: SampleStream.blocks)
            return nil
        } catch {
            guard case .memory(let reason) = error.reason else { throw error }
            return reason
        }
    }

    private func refusal(of runs: [Run], pages: Int = 0) throws -> MemoryError? {
        try refusal(payload(runs, pages: pages))
    }

    private func payload(_ runs: [Run], pages: Int = 0, count: UInt32? = nil, reserved: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
        append(count ?? UInt32(runs.count))
        append(reserved)
        for run in runs {
            append(run.block)
            append(run.kind)
            append(run.count)
            append(run.first)
        }
        return bytes + [UInt8](repeating: 1, count: pages * 4096)
    }

    @Test("Runs that ascend and fit are taken")
    func taken() throws {
        #expect(try refusal(of: [(0, 1, 12, 0), (1, 0, 1, 0), (1, 1, 2, 1)], pages: 1) == nil)
        // Neighbours of a kind need not be one run.
        #expect(try refusal(of: [(0, 0, 1, 0), (0, 0, 1, 1)], pages: 2) == nil)
    }

    @Test("Runs outside of their block are refused, also where their end is beyond 64 bits")
    func outside() throws {
        let hostile: [(UInt32, UInt64)] = [
            (13, 0), (1, 12), (.max, 0), (2, 11), (1, .max), (.max, .max), (.max, .max - 1), (16, .max - 10),
            (1, 1 << 63),
            (1, 1 << 52),
        ]
        for (count, first) in hostile {
            for kind: UInt16 in [0, 1] {
                let expected = MemoryError.outsideBlock("ram", first: first, count: UInt64(count), pageCount: 12)
                #expect(try refusal(of: [(0, kind, count, first)], pages: 1) == expected)
            }
        }
        #expect(try refusal(of: [(2, 1, 1, 0)]) == .noSuchBlock(2, blockCount: 2))
        #expect(try refusal(of: [(.max, 1, 1, 0)]) == .noSuchBlock(65535, blockCount: 2))
    }

    @Test("Runs that are empty, of no kind, or not in order are refused")
    func runs() throws {
        #expect(try refusal(of: [(0, 1, 0, 0)]) == .emptyRun(0))
        #expect(try refusal(of: [(0, 1, 1, 0), (0, 0, 0, 1)]) == .emptyRun(1))
        #expect(try refusal(of: [(0, 2, 1, 0)]) == .kind(run: 0, 2))
        #expect(try refusal(of: [(0, 0x100, 1, 0)]) == .kind(run: 0, 0x100))
        #expect(try refusal(of: [(0, 1, 2, 0), (0, 1, 2, 0)]) == .notAscending(run: 1))
        #expect(try refusal(of: [(0, 1, 2, 0), (0, 1, 2, 1)]) == .notAscending(run: 1))
        #expect(try refusal(of: [(0, 1, 2, 4), (0, 1, 2, 0)]) == .notAscending(run: 1))
        #expect(try refusal(of: [(1, 1, 1, 0), (0, 1, 1, 5)]) == .notAscending(run: 1))
    }

    @Test("The bytes are those of the runs and their pages, and no others")
    func lengths() throws {
        #expect(try refusal([]) == .length(expected: 8, found: 0))
        #expect(try refusal([1, 0, 0, 0, 0, 0, 0]) == .length(expected: 8, found: 7))
        #expect(try refusal(of: [(0, 0, 2, 0)], pages: 1) == .length(expected: 8216, found: 4120))
        #expect(try refusal(of: [(0, 0, 1, 0)], pages: 2) == .length(expected: 4120, found: 8216))
        #expect(try refusal(of: [(0, 1, 1, 0)], pages: 1) == .length(expected: 24, found: 4120))
        #expect(try refusal(payload([(0, 1, 1, 0)]) + [0]) == .length(expected: 24, found: 25))
        #expect(try refusal(payload([(0, 1, 1, 0)], count: 2)) == .length(expected: 40, found: 24))
    }

    @Test("A count of runs that is none, or beyond the bound, is refused")
    func counts() throws {
        for count: UInt32 in [0, UInt32(MemoryChunk.runLimit) + 1, 0x1000_0000, .max] {
            #expect(try refusal(payload([(0, 1, 1, 0)], count: count)) == .runCount(count))
        }
        #expect(try refusal(payload([(0, 1, 1, 0)], reserved: 1)) == .reservedBits)
    }
}
