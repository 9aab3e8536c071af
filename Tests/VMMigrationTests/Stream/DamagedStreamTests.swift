import TestSupport
import Testing
import VMMigration

@Suite("Whole streams, and damaged ones")
struct DamagedStreamTests {
    enum Sample: CaseIterable {
        case main, postCopy, extra, replies, question, verdict, abort

        func bytes(_ memory: SampleMemory) throws -> [UInt8] {
            switch self {
            case .main: try SampleStream.main(memory)
            case .postCopy: try SampleStream.main(memory, isPostCopy: true)
            case .extra: try SampleStream.extra(memory)
            case .replies: try SampleStream.replies()
            case .question: try SampleStream.question()
            case .verdict: try SampleStream.verdict()
            case .abort: try SampleStream.abort()
            }
        }

        var direction: StreamState.Direction {
            switch self {
            case .main, .postCopy, .question, .abort: .main
            case .extra: .extra
            case .replies, .verdict: .mainReplies
            }
        }
    }

    /// Those that together have all frames; post-copy begins as a main stream does.
    private static let damaged: [Sample] = [.postCopy, .extra, .replies, .question, .verdict, .abort]

    /// What receiving a stream came to.
    private enum Outcome: Equatable {
        case received
        case refused
        case ended
    }

    private func outcome(
        _ bytes: [UInt8], _ sample: Sample, into memory: SampleMemory, checksDigests: Bool = true
    ) throws -> Outcome {
        let source = BytePlayer(bytes)
        defer { #expect(source.largestRequest <= FrameType.state.largestPayload) }
        let receiver = SampleReceiver(
            memory: memory, received: try ReceivedPages(memory.blocks), direction: sample.direction,
            checksDigests: checksDigests)
        do {
            try receiver.receive(source)
            return .received
        } catch let error as StreamFailure<LinkEnd> {
            #expect(!"\(error)".isEmpty)
            return error.stream == nil ? .ended : .refused
        } catch is StreamError {
            return .refused
        } catch is MemoryError {
            return .refused
        }
    }

    @Test("A whole stream is received, and the memory is that of the source", arguments: Sample.allCases)
    func whole(_ sample: Sample) throws {
        let memory = SampleStream.memory()
        let copy = SampleMemory(memory.blocks)
        #expect(try outcome(try sample.bytes(memory), sample, into: copy) == .received)
        #expect(copy.isGuardIntact)
        if sample == .main || sample == .postCopy { #expect(copy.hasSamePages(as: memory)) }
    }

    @Test("A stream that ends early is never taken for a whole one", arguments: damaged)
    func truncated(_ sample: Sample) throws {
        let memory = SampleStream.memory()
        let bytes = try sample.bytes(memory)
        let copy = SampleMemory(memory.blocks)
        for count in bytes.indices {
            #expect(try outcome(Array(bytes.prefix(count)), sample, into: copy) == .ended, "\(count) bytes")
        }
        #expect(copy.isGuardIntact)
    }

    @Test("A stream with a bit of any byte changed is refused, or waited for", arguments: damaged)
    func flipped(_ sample: Sample) throws {
        let memory = SampleStream.memory()
        var bytes = try sample.bytes(memory)
        let copy = SampleMemory(memory.blocks)
        for offset in bytes.indices {
            let mask: UInt8 = 1 << (offset % 8)
            bytes[offset] ^= mask
            #expect(try outcome(bytes, sample, into: copy) != .received, "byte \(offset)")
            bytes[offset] ^= mask
        }
        #expect(copy.isGuardIntact)
    }

    @Test(
        "With checksums to match, a changed byte does no harm beyond the memory and the bounds",
        arguments: damaged)
    func reframedFlips(_ sample: Sample) throws {
        let memory = SampleStream.memory()
        var bytes = try sample.bytes(memory)
        let copy = SampleMemory(memory.blocks)
        #expect(try outcome(reframed(bytes), sample, into: copy, checksDigests: false) == .received)
        var refused = 0
        for offset in bytes.indices {
            bytes[offset] ^= 0xff
            let changed = try outcome(reframed(bytes), sample, into: copy, checksDigests: false)
            if changed == .refused { refused += 1 }
            bytes[offset] ^= 0xff
        }
        #expect(copy.isGuardIntact)
        #expect(refused > 0)
    }

    @Test("Streams of random bytes, and of frames at random, are refused")
    func random() throws {
        var generator = SeededGenerator(seed: 11)
        let memory = SampleMemory(SampleStream.blocks)
        let whole = try SampleStream.main(SampleStream.memory())
        for _ in 0..<500 {
            let count = Int.random(in: 0..<200, using: &generator)
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(try outcome(noise, .main, into: memory) != .received)
            // A part of a stream that is left out.
            let gap = Int.random(in: 0..<whole.count, using: &generator)
            let length = Int.random(in: 1...(whole.count - gap), using: &generator)
            #expect(try outcome(Array(whole[..<gap] + whole[(gap + length)...]), .main, into: memory) != .received)
        }
        #expect(memory.isGuardIntact)
    }
}
