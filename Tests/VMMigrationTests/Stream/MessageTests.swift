import Glibc
import Testing
import VMState

@testable import VMMigration

@Suite("Messages of a stream")
struct MessageTests {
    /// Sends a message and receives it.
    private func sent<Message: StreamMessage>(_ message: Message) throws -> Message {
        try sent(Message.frameType, MachineState([message.record()]))
    }

    private func sent<Message: StreamMessage>(_ type: FrameType, _ state: MachineState) throws -> Message {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try writer.send(type, state)
        var reader = FrameReader(BytePlayer(sink.bytes))
        var place = try #require(StreamStateTests.allStates.first { $0.following(type) != nil })
        return try reader.next(&place).message()
    }

    private func refusal<Message: StreamMessage>(_ type: Message.Type, _ records: [StateRecord]) throws
        -> StreamError.Reason
    {
        let error = try #require(throws: StreamError.self) {
            let _: Message = try sent(Message.frameType, MachineState(records))
        }
        return error.reason
    }

    private static let counts = PageCounts(data: 3, zero: 5, bytes: 12400)

    @Test("Each message comes as it was sent")
    func roundTrips() throws {
        let hello = Hello(
            side: .source, versions: ProtocolVersions(1...3), program: "vmm 1.0", migration: .random(), channel: 2,
            channelCount: 4, features: ["post-copy", "compression"], process: "boot/1/2")
        #expect(try sent(hello) == hello)
        let roundEnd = RoundEnd(round: 4, sent: Self.counts, isLast: true)
        #expect(try sent(roundEnd) == roundEnd)
        #expect(try sent(RoundDone(round: 4)) == RoundDone(round: 4))
        let end = End(digests: [1, .max], sent: Self.counts, isPostCopy: true)
        #expect(try sent(end) == end)
        #expect(try sent(Complete(digest: 8, sent: Self.counts)) == Complete(digest: 8, sent: Self.counts))
        #expect(try sent(Ready(restoreNanoseconds: 6)) == Ready(restoreNanoseconds: 6))
        #expect(try sent(Received(digest: 9)) == Received(digest: 9))
        #expect(try sent(Abort(reason: "no memory")) == Abort(reason: "no memory"))
        let verdict = Verdict(.random(), isRunning: true)
        #expect(try sent(verdict) == verdict)
        let request = PageRequest(PageRun(block: 1, pages: 2..<3))
        #expect(try sent(request) == request)
    }

    @Test("A destination answers with one version, and what both can do")
    func answer() {
        let hello = Hello(side: .source, program: "a", migration: .random(), features: ["x", "y", "z"])
        let answer = hello.answer(version: 1, program: "b", features: ["w", "z", "y"])
        #expect(answer.side == .destination && answer.migration == hello.migration)
        #expect(answer.versions == ProtocolVersions(1...1) && answer.features == ["y", "z"])
        // That it is on this host, this process can tell by it.
        #expect(ProcessName.isName(answer.process, of: getpid()))
    }

    @Test("The highest version of both sides is taken, if they share one")
    func versions() {
        #expect(ProtocolVersions(1...3).highest(sharedWith: ProtocolVersions(2...9)) == 3)
        #expect(ProtocolVersions(2...9).highest(sharedWith: ProtocolVersions(1...3)) == 3)
        #expect(ProtocolVersions(4...4).highest(sharedWith: ProtocolVersions(4...4)) == 4)
        #expect(ProtocolVersions(1...3).highest(sharedWith: ProtocolVersions(4...9)) == nil)
        #expect(ProtocolVersions(0...(.max)).highest(sharedWith: ProtocolVersions(UInt32.max...(.max))) == .max)
        #expect("\(ProtocolVersions(0...(.max)))" == "0 to 4294967295")
    }

    /// What a source's hello comes to.
    private func greeting(_ own: ProtocolVersions, readBy side: MigrationID.Side = .destination) throws -> UInt32 {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try writer.send(Hello(side: .source, versions: ProtocolVersions(5...6), program: "", migration: .random()))
        var reader = FrameReader(BytePlayer(sink.bytes))
        var state = StreamState(.main)
        return try reader.next(&state).hello(from: side == .destination ? .source : .destination, own).version
    }

    @Test("A hello is taken where a version is shared; where none is, the error names those of both sides")
    func greetings() throws {
        #expect(try greeting(ProtocolVersions(3...5)) == 5)
        let error = try #require(throws: StreamError.self) { _ = try greeting(ProtocolVersions(1...2)) }
        #expect("\(error)".contains("version 5 to 6 of the protocol, and this one version 1 to 2"))
    }

    @Test("A side does not take its own hello for an answer")
    func reflection() throws {
        let error = try #require(throws: StreamError.self) {
            _ = try greeting(ProtocolVersions(5...6), readBy: .source)
        }
        #expect(error.reason == .side(.source))
    }

    @Test("A hello that cannot be is refused: channels, versions, lengths")
    func hostileHello() throws {
        func changed(_ name: String, _ value: StateValue) throws -> Bool {
            let record = Hello(side: .source, program: "", migration: .random()).record()
            let fields = record.fields.map { $0.name == name ? StateField(name, value) : $0 }
            let reason = try refusal(
                Hello.self, [StateRecord(kind: record.kind, version: record.version, fields: fields)])
            guard case .record(let error) = reason, case .value(let field, _) = error.reason else { return false }
            return field == name
        }
        #expect(try changed("side", .number(3)))
        #expect(try changed("highest version", .number(0)))
        #expect(try changed("migration", .bytes([1, 2, 3])))
        #expect(try changed("channel", .number(1)))
        #expect(try changed("channels", .number(0)))
        #expect(try changed("channels", .number(65)))
        #expect(try changed("program", .text(String(repeating: "a", count: 257))))
        #expect(try changed("features", .text(String(repeating: "a", count: 4097))))
        #expect(try changed("process", .text(String(repeating: "a", count: 129))))
    }

    @Test("A frame that has no record, several, or another one is refused")
    func records() throws {
        let done = RoundDone(round: 1).record()
        #expect(try refusal(RoundDone.self, []) == .recordCount(.roundDone, 0))
        #expect(try refusal(RoundDone.self, [done, done]) == .recordCount(.roundDone, 2))
        guard case .record = try refusal(RoundDone.self, [Received(digest: 0).record()]) else {
            Issue.record("a record of another kind is taken")
            return
        }
    }

    @Test("Others' text is of bounded length and in one line of printable characters")
    func text() throws {
        let abort = Abort(reason: "a\u{1b}[31m\nb\u{202e}c\u{0}\u{2028}é")
        #expect(abort.reason == "a\u{fffd}[31m\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}é")
        #expect(Abort(reason: String(repeating: "é", count: 4096)).reason.utf8.count == Abort.reasonLimit)

        let hostile = StateRecord(
            kind: Abort.kind, version: 1, fields: [StateField("reason", .text("x\u{1b}]0;y\u{7}"))])
        let received: Abort = try sent(.abort, MachineState([hostile]))
        #expect(received.reason == "x\u{fffd}]0;y\u{fffd}")

        let unknown = StateRecord(kind: Abort.kind, version: 1, fields: [StateField("\u{1b}[2J", .number(0))])
        let error = try #require(throws: StreamError.self) { let _: Abort = try sent(.abort, MachineState([unknown])) }
        #expect(!"\(error)".contains("\u{1b}"))
    }

    @Test("A page request is of pages that a block has")
    func pageRequests() throws {
        let blocks = SampleStream.blocks
        #expect(try PageRequest(PageRun(block: 1, pages: 0..<3)).run(in: blocks) == PageRun(block: 1, pages: 0..<3))
        #expect(throws: MemoryError.noSuchBlock(2, blockCount: 2)) {
            try PageRequest(PageRun(block: 2, pages: 0..<1)).run(in: blocks)
        }
        #expect(throws: MemoryError.noSuchBlock(.max, blockCount: 2)) {
            try PageRequest(PageRun(block: .max, pages: 0..<1)).run(in: blocks)
        }
        for pages: Range<UInt64> in [2..<4, 3..<4, 0..<(.max), (.max - 1)..<(.max)] {
            #expect(throws: MemoryError.self) { try PageRequest(PageRun(block: 1, pages: pages)).run(in: blocks) }
        }
        // A count that carries the sum beyond 64 bits.
        let record = StateRecord(
            kind: PageRequest.kind, version: 1,
            fields: [
                StateField("block", .number(0)), StateField("first page", .number(2)),
                StateField("pages", .number(.max)),
            ])
        let request: PageRequest = try sent(.pageRequest, MachineState([record]))
        #expect(throws: MemoryError.outsideBlock("ram", first: 2, count: .max, pageCount: 12)) {
            try request.run(in: blocks)
        }
    }

    @Test("Digests are compared channel by channel")
    func digests() throws {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try writer.send(.keepalive)
        var reader = FrameReader(BytePlayer(sink.bytes))
        var state = StreamState(.main)
        let frame = try reader.next(&state)
        try frame.check([1, 2], against: [1, 2])
        let differ = #expect(throws: StreamError.self) { try frame.check([1, 3], against: [1, 2]) }
        #expect(differ?.reason == .digest(channel: 1))
        let fewer = #expect(throws: StreamError.self) { try frame.check([1], against: [1, 2]) }
        #expect(fewer?.reason == .digestCount(1, expected: 2))
    }
}
