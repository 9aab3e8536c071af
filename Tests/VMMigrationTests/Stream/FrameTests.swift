import Testing
import VMMigration
import VMState

@Suite("Frames of a stream")
struct FrameTests {
    @Test("What is sent is received: type, payload, number, digest")
    func roundTrip() throws {
        let payloads: [[UInt8]] = [[], [1], [UInt8](repeating: 7, count: 15), (0..<241).map { UInt8($0) }]
        let sink = ByteRecorder()
        var writer = FrameWriter(sink, seed: 99)
        for payload in payloads { try payload.withUnsafeBytes { try writer.send(.roundEnd, $0) } }

        var reader = FrameReader(BytePlayer(sink.bytes), seed: 99)
        var state = try StreamState(.extra).after([.hello])
        for (index, payload) in payloads.enumerated() {
            let frame = try reader.next(&state)
            #expect(frame.type == .roundEnd)
            #expect(frame.sequence == UInt64(index))
            #expect(frame.payload.elementsEqual(payload))
        }
        let (sent, received) = (writer.digest, reader.digest)
        #expect(sent == received && sent != 0)
        let counts = (writer.frameCount, reader.frameCount, writer.byteCount, reader.byteCount)
        #expect(counts == (4, 4, UInt64(sink.bytes.count), UInt64(sink.bytes.count)))
    }

    @Test("A header is laid out as documented")
    func layout() throws {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try writer.send(.keepalive)
        try [UInt8](repeating: 1, count: 0x102).withUnsafeBytes { try writer.send(.roundEnd, $0) }
        #expect(sink.bytes.count == 32 + 32 + 0x102)
        #expect(
            Array(sink.bytes[32..<56]) == [
                0x56, 0x4d, 0x4d, 0x53, 18, 0, 0, 0, 0x02, 0x01, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
            ])
    }

    @Test("Digests tell frames in another order, and frames that are missing")
    func digests() throws {
        func digest(_ types: [FrameType]) throws -> UInt64 {
            var writer = FrameWriter(ByteRecorder())
            for type in types { try writer.send(type) }
            return writer.digest
        }
        let digests = try [[], [.keepalive], [.commit], [.keepalive, .commit], [.commit, .keepalive]].map(digest)
        #expect(Set(digests).count == digests.count)
    }

    @Test("A payload that is too long is not sent", arguments: FrameType.allCases)
    func tooLongToSend(_ type: FrameType) throws {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        let error = try #require(throws: StreamFailure<LinkEnd>.self) {
            try [UInt8](repeating: 0, count: type.largestPayload + 1).withUnsafeBytes { try writer.send(type, $0) }
        }
        #expect(error.stream?.reason == .length(type, UInt64(type.largestPayload) + 1))
        #expect(sink.bytes.isEmpty)
    }

    @Test(
        "A frame of a type that has its own bound is received up to that bound",
        arguments: [FrameType.state, .description])
    func longest(_ type: FrameType) throws {
        // A state of all that it may have is slow to make here: a part of it is enough to need another buffer.
        let count = min(type.largestPayload, 2 << 20)
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try [UInt8](repeating: 5, count: count).withUnsafeBytes { try writer.send(type, $0) }
        try writer.send(.keepalive)
        var reader = FrameReader(BytePlayer(sink.bytes))
        var state = try StreamState(.main).after(type == .state ? [.hello, .description] : [.hello])
        let frame = try reader.next(&state)
        #expect(frame.payload.count == count && frame.payload.allSatisfy { $0 == 5 })
        let type = try reader.next(&state).type
        #expect(type == .keepalive)
    }
}

extension StreamState {
    /// What may come after frames that may come.
    func after(_ types: [FrameType]) throws -> StreamState {
        try types.reduce(self) { state, type in try #require(state.following(type)) }
    }
}

extension StreamFailure {
    var stream: StreamError? {
        if case .stream(let error) = self { error } else { nil }
    }
}
