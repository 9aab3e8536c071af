import VMMigration

/// Receives one direction of a channel, as whoever migrates does: nothing of the stream is used before it was checked.
struct SampleReceiver {
    let memory: SampleMemory
    let received: ReceivedPages
    let direction: StreamState.Direction
    /// Off where checksums are not those of the sender.
    var checksDigests = true

    /// Reads until nothing more may come.
    func receive(_ source: BytePlayer) throws {
        var state = StreamState(direction, isPostCopy: direction == .mainReplies)
        var reader = FrameReader(source)
        while state.phase != .done {
            let frame = try reader.next(&state)
            switch frame.type {
            case .hello:
                let side: MigrationID.Side =
                    direction == .main || direction == .extra ? .source : .destination
                let (hello, _) = try frame.hello(from: side)
                reader.seed = hello.migration.seed(channel: hello.channel, from: hello.side)
                if hello.features.contains(SampleStream.asking) { state = state.asking }
            case .end:
                let end: End = try frame.message()
                if checksDigests { try frame.check(end.digests, against: [frame.precedingDigest]) }
                state.isPostCopy = end.isPostCopy
            case .complete:
                let complete: Complete = try frame.message()
                if checksDigests { try frame.check([complete.digest], against: [frame.precedingDigest]) }
            default: try take(frame)
            }
        }
    }

    private func take(_ frame: Frame) throws {
        switch frame.type {
        case .description, .state: _ = try frame.state()
        case .memory:
            let chunk = try MemoryChunk(frame, of: memory.blocks)
            memory.place(chunk)
            chunk.forEachRun { run, _ in received.mark(run) }
        case .roundEnd: _ = try frame.message(RoundEnd.self)
        case .roundDone: _ = try frame.message(RoundDone.self)
        case .ready: _ = try frame.message(Ready.self)
        case .pageRequest: _ = try frame.message(PageRequest.self).run(in: memory.blocks)
        case .received: _ = try frame.message(Received.self)
        case .verdict: _ = try frame.message(Verdict.self)
        case .abort: _ = try frame.message(Abort.self)
        case .missing: _ = try MissingPages(frame, of: memory.blocks)
        case .hello, .end, .complete, .accepted, .commit, .running, .keepalive, .released, .settled: break
        }
    }
}
