import VMMigration
import VMState

/// Small streams as a source and a destination send them.
enum SampleStream {
    static let blocks = [RAMBlock(name: "ram", pageCount: 12), RAMBlock(name: "video", pageCount: 3)]

    /// Memory with pages that are zero and others that are not.
    static func memory() -> SampleMemory {
        let memory = SampleMemory(blocks)
        memory.fill(0, page: 1, with: 0x11)
        memory.fill(1, page: 2, with: 0x22)
        return memory
    }

    /// All that a source sends on the main channel.
    /// - Parameter isWritten: whether the memory changes between its rounds.
    static func main(
        _ memory: SampleMemory, isPostCopy: Bool = false, isWritten: Bool = true
    ) throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        var chunks = MemoryChunkWriter()
        try greet(&writer, channelCount: 1)
        try writer.send(.description, MachineState([Ready(restoreNanoseconds: 7).record()]))
        for block in blocks.indices {
            try chunks.append(memory, PageRun(block: block, pages: 0..<blocks[block].pageCount), to: &writer)
        }
        try chunks.flush(to: &writer)
        try writer.send(RoundEnd(round: 0, sent: chunks.counts, isLast: false))
        try writer.send(.keepalive)

        if isWritten {
            memory.fill(0, page: 1, with: 0)
            memory.fill(0, page: 5, with: 0x55)
        }
        let earlier = chunks.counts
        try chunks.append(memory, PageRun(block: 0, pages: 1..<2), to: &writer)
        try chunks.append(memory, PageRun(block: 0, pages: 5..<6), to: &writer)
        try chunks.flush(to: &writer)
        try writer.send(RoundEnd(round: 1, sent: chunks.counts - earlier, isLast: true))
        if isPostCopy { try writer.sendMissing([PageRun(block: 1, pages: 0..<2), PageRun(block: 0, pages: 3..<4)]) }
        try writer.send(.state, MachineState([Ready(restoreNanoseconds: 9).record()]))
        try writer.send(End(digests: [writer.digest], sent: chunks.counts, isPostCopy: isPostCopy))
        try writer.send(.commit)
        if isPostCopy {
            if isWritten { memory.fill(1, page: 0, with: 0x44) }
            try chunks.append(memory, PageRun(block: 1, pages: 0..<2), to: &writer)
            try chunks.flush(to: &writer)
            try writer.send(Complete(digest: writer.digest, sent: chunks.counts))
        } else {
            try writer.send(.settled)
        }
        return sink.bytes
    }

    /// All that a source sends on another channel.
    static func extra(_ memory: SampleMemory) throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        var chunks = MemoryChunkWriter()
        try greet(&writer, channel: 1, channelCount: 2)
        try chunks.append(memory, PageRun(block: 0, pages: 0..<4), to: &writer)
        try chunks.flush(to: &writer)
        try writer.send(RoundEnd(round: 0, sent: chunks.counts, isLast: true))
        try writer.send(End(digests: [writer.digest], sent: chunks.counts))
        return sink.bytes
    }

    /// All that a destination sends on the main channel, in post-copy too.
    static func replies() throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try greet(&writer, .destination, channelCount: 1)
        try writer.send(.accepted)
        try writer.send(RoundDone(round: 0))
        try writer.send(.keepalive)
        try writer.send(Ready(restoreNanoseconds: 1))
        try writer.send(.running)
        try writer.sendMissing([PageRun(block: 1, pages: 0..<3)])
        try writer.send(PageRequest(PageRun(block: 1, pages: 0..<2)))
        try writer.send(Received(digest: 3))
        return sink.bytes
    }

    /// What a source sends that asks what has become of its guest.
    static func question() throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try greet(&writer, channelCount: 1, features: [asking])
        try writer.send(.settled)
        return sink.bytes
    }

    /// What a destination answers.
    static func verdict() throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        let migration = try greet(&writer, .destination, channelCount: 1, features: [asking])
        try writer.send(Verdict(migration, isRunning: true))
        return sink.bytes
    }

    /// The feature of a hello that asks.
    static let asking = "question"

    /// What a side sends to give up.
    static func abort() throws -> [UInt8] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        try greet(&writer, channelCount: 1)
        try writer.send(Abort(reason: "the user said so"))
        return sink.bytes
    }

    @discardableResult
    private static func greet(
        _ writer: inout FrameWriter<ByteRecorder>, _ side: MigrationID.Side = .source, channel: Int = 0,
        channelCount: Int, features: [String] = ["post-copy", "channels"]
    ) throws -> MigrationID {
        let hello = Hello(
            side: side, program: "sample", migration: .random(), channel: channel, channelCount: channelCount,
            features: features)
        try writer.send(hello)
        writer.seed = hello.migration.seed(channel: channel, from: side)
        return hello.migration
    }
}

extension FrameWriter {
    mutating func sendMissing(_ runs: [PageRun]) throws {
        var list = MissingPagesWriter()
        var payloads: [[UInt8]] = []
        for run in runs { list.append(run) { payloads.append(Array($0)) } }
        list.finish { payloads.append(Array($0)) }
        for payload in payloads { try payload.withUnsafeBytes { try send(.missing, $0) } }
    }
}

extension MemoryChunkWriter {
    mutating func append<Sink: ByteSink>(
        _ memory: SampleMemory, _ run: PageRun, to writer: inout FrameWriter<Sink>
    ) throws(StreamFailure<Sink.Failure>) {
        let bytes = UnsafeRawBufferPointer(memory.bytes(of: run))
        guard let start = bytes.baseAddress else { return }
        try append(run, from: start, to: &writer)
    }
}
