import Glibc
import TestSupport
import Testing
import VMMemory
import VMRegions
import VMState

@testable import VMMigration

@Suite("Memory that is received for the first time", .timeLimit(.minutes(5)))
struct FirstRoundTests {
    /// Enough frames for two threads.
    private static let pageCount = 40 * MemoryChunk.dataPageLimit

    /// Memory that a peer sends, and the channel that it comes by.
    private struct Arriving {
        let shown: ShownMemory
        let memory: TargetMemory
        let link: Link
        let channel: DestinationChannel

        /// - Parameter preallocated: how many pages are there from the start.
        init(filling: Bool, preallocated: Int = 0) throws {
            try GuestMemory.installFaultHandlers()
            let pool =
                preallocated > 0
                ? try PreallocatedMemory(byteCount: UInt64(preallocated * ShownMemory.page)) : nil
            shown = try ShownMemory(
                RegionBacking(anonymous: "ram", byteCount: UInt64(pageCount * ShownMemory.page), from: pool))
            memory = try TargetMemory(shown.contents)
            if filling { memory.beginFilling() }
            link = try Link(Setup(transport: .unix, backend: .auto))
            channel = DestinationChannel(link.receiver, progressTimeout: .seconds(60))
        }

        func receive(alone: Bool) throws -> Frame {
            defer { memory.endFilling() }
            return try FirstRound(channel, memory).receive(alone: alone)
        }
    }

    /// What the first byte of a page is.
    private static func byte(_ page: Int) -> UInt8 { UInt8(truncatingIfNeeded: page % 251 + 1) }

    /// What a source sends: the hello and the model, which the channel has to see first, and all pages; at the end of which
    /// frame a byte is not what it was.
    private static func send(on connection: Connection, damaging damaged: Int? = nil) throws {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try writer.send(Hello(side: .source, program: "test", migration: .random()))
        try writer.send(.description, MachineState([]))
        try connection.send(sink.bytes)
        var sent = sink.bytes.count
        var chunks = MemoryChunkWriter()
        var bytes = [UInt8](repeating: 0, count: MemoryChunk.dataPageLimit * ShownMemory.page)
        for (number, first) in stride(from: 0, to: pageCount, by: MemoryChunk.dataPageLimit).enumerated() {
            for page in 0..<MemoryChunk.dataPageLimit { bytes[page * ShownMemory.page] = byte(first + page) }
            let pages = UInt64(first)..<UInt64(first + MemoryChunk.dataPageLimit)
            try bytes.withUnsafeBytes { bytes in
                try chunks.append(PageRun(block: 0, pages: pages), from: bytes.baseAddress!, to: &writer)
            }
            try chunks.flush(to: &writer)
            var new = Array(sink.bytes[sent...])
            sent += new.count
            if number == damaged { new[new.count - 1] ^= 1 }
            try connection.send(new)
        }
        try writer.send(RoundEnd(round: 0, sent: chunks.counts, isLast: false))
        try connection.send(Array(sink.bytes[sent...]))
    }

    private static func sending(_ arriving: Arriving, damaging damaged: Int? = nil) throws -> TestThread {
        let connection = arriving.link.sender
        let thread = TestThread { try? send(on: connection, damaging: damaged) }
        #expect(try arriving.channel.nextFrame().type == .hello)
        #expect(try arriving.channel.nextFrame().type == .description)
        return thread
    }

    @Test(
        "Each page is in its place, whoever of two threads has received it", arguments: [false, true], [false, true])
    func arrival(alone: Bool, filling: Bool) throws {
        try expectArrival(Arriving(filling: filling), alone: alone)
    }

    @Test(
        "Each page is in its place, whether or not there were pages before",
        arguments: [1, MemoryChunk.dataPageLimit + 3, pageCount], [false, true])
    func preallocated(_ count: Int, filling: Bool) throws {
        let arriving = try Arriving(filling: filling, preallocated: count)
        let extents = try #require(arriving.memory.contents.first?.extents)
        #expect(extents.map(\.isPreallocated) == (count == Self.pageCount ? [true] : [true, false]))
        try expectArrival(arriving, alone: false)
    }

    private func expectArrival(_ arriving: Arriving, alone: Bool) throws {
        let sender = try Self.sending(arriving)
        #expect(try arriving.receive(alone: alone).type == .roundEnd)
        sender.join()
        #expect(arriving.shown.firstBytes == (0..<Self.pageCount).map(Self.byte))
    }

    @Test("A damaged frame ends it, for both", arguments: [0, 1, 17, 39])
    func damage(_ frame: Int) throws {
        let arriving = try Arriving(filling: true)
        let sender = try Self.sending(arriving, damaging: frame)
        let error = #expect(throws: MigrationError.self) { try arriving.receive(alone: false) }
        guard case .stream(let error) = error, case .checksum(.memory) = error.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error.frame == UInt64(frame + 2))
        arriving.link.receiver.shutDown()
        sender.join()
    }

    @Test("Pages that cannot be put in place end it, and are why", arguments: [0, 1, 17, 39])
    func refusal(_ frame: Int) throws {
        let arriving = try Arriving(filling: false)
        let length = MemoryChunk.dataPageLimit * ShownMemory.page
        let place = arriving.shown.base + frame * length
        #expect(mprotect(place, length, PROT_NONE) == 0)
        let sender = try Self.sending(arriving)
        let error = #expect(throws: MigrationError.self) { try arriving.receive(alone: false) }
        guard case .unwritable(block: "ram", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        arriving.link.receiver.shutDown()
        sender.join()
    }
}
