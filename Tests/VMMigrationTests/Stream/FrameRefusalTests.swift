import Testing
import VMMigration

@Suite("Frames that are refused")
struct FrameRefusalTests {
    /// What reading a frame comes to, and how much was asked for at once.
    private func refusal(
        of bytes: [UInt8], _ state: StreamState = StreamState(.main), seed: UInt64 = 0
    ) throws -> (reason: StreamError.Reason?, largestRequest: Int) {
        let source = BytePlayer(bytes)
        var reader = FrameReader(source, seed: seed)
        var state = state
        let before = state
        let error = try #require(throws: StreamFailure<LinkEnd>.self) { _ = try reader.next(&state) }
        #expect(state == before)
        return (error.stream?.reason, source.largestRequest)
    }

    private func frame(_ type: FrameType, _ payload: [UInt8] = []) throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try payload.withUnsafeBytes { try writer.send(type, $0) }
        return sink.bytes
    }

    @Test("Each part of a header that is wrong is named")
    func headers() throws {
        let hello = try frame(.hello, [1, 2, 3])
        func changed(_ offset: Int, _ byte: UInt8) throws -> StreamError.Reason? {
            var bytes = hello
            bytes[offset] = byte
            return try refusal(of: bytes).reason
        }
        #expect(try changed(0, 0x57) == .magic(0x534d_4d57))
        #expect(try changed(4, 9) == .type(9))
        #expect(try changed(5, 1) == .type(0x101))
        #expect(try changed(6, 1) == .reservedBits)
        #expect(try changed(15, 0x80) == .reservedBits)
        #expect(try changed(4, 17) == .unexpected(.memory, StreamState(.main)))
        #expect(try changed(10, 2) == .length(.hello, 0x2_0003))
        #expect(try changed(16, 1) == .sequence(1, expected: 0))
        #expect(try changed(24, hello[24] ^ 1) == .checksum(.hello))
        #expect(try changed(32, 7) == .checksum(.hello))
        #expect(try refusal(of: hello, seed: 1).reason == .checksum(.hello))
    }

    @Test("A length beyond the bound is refused before the payload is asked for", arguments: FrameType.allCases)
    func hostileLengths(_ type: FrameType) throws {
        let state = try #require(StreamStateTests.allStates.first { $0.following(type) != nil })
        for length in [UInt32(type.largestPayload) + 1, 0x8000_0000, .max] {
            var bytes = try frame(type)
            for index in 0..<4 { bytes[8 + index] = UInt8(truncatingIfNeeded: length >> (index * 8)) }
            let (reason, largestRequest) = try refusal(of: bytes + [0, 0, 0, 0], state)
            #expect(reason == .length(type, UInt64(length)))
            #expect(largestRequest == 32)
        }
    }

    @Test("A frame that comes again, or too early, is out of sequence")
    func sequence() throws {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        for _ in 0..<3 { try writer.send(.keepalive) }
        let frames = stride(from: 0, to: 96, by: 32).map { Array(sink.bytes[$0..<($0 + 32)]) }
        for (order, number) in [([0, 0], 0), ([0, 2], 2)] {
            var reader = FrameReader(BytePlayer(order.flatMap { frames[$0] }))
            var state = StreamState(.main)
            _ = try reader.next(&state)
            let error = try #require(throws: StreamFailure<LinkEnd>.self) { _ = try reader.next(&state) }
            #expect(error.stream?.reason == .sequence(UInt64(number), expected: 1))
            #expect(error.stream?.frame == 1 && error.stream?.offset == 32)
        }
    }

    @Test("A frame of another channel, direction or migration has a wrong checksum")
    func seeds() {
        let (first, second) = (MigrationID.random(), MigrationID.random())
        let seeds = [
            first.seed(channel: 0, from: .source), first.seed(channel: 1, from: .source),
            first.seed(channel: 0, from: .destination), second.seed(channel: 0, from: .source),
        ]
        #expect(Set(seeds).count == seeds.count)
    }

    @Test("Errors name the frame and its place, and cannot drive a terminal")
    func description() throws {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try writer.send(.keepalive)
        try writer.send(.commit)
        var reader = FrameReader(BytePlayer(sink.bytes))
        var state = StreamState(.main)
        _ = try reader.next(&state)
        let error = try #require(throws: StreamFailure<LinkEnd>.self) { _ = try reader.next(&state) }
        #expect(
            "\(error)" == "a frame of type commit cannot come before the hello, in frame 1 of the stream (at byte 32)")
    }
}
