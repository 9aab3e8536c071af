/// What a frame is about. The numbers are those of the stream.
public enum FrameType: UInt16, Hashable, Sendable, CaseIterable {
    // Of both sides.
    case hello = 1
    case keepalive = 2
    case abort = 3
    /// Pages that the destination lacks: those it is not to keep, at the switch to post-copy; those it has yet to get, when
    /// the link has come back.
    case missing = 4

    // Of the source.
    /// What the machine is made of, for the destination to make an equal one.
    case description = 16
    /// Pages of memory.
    case memory = 17
    /// All memory of a round was sent.
    case roundEnd = 18
    /// The state of the machine, which is paused.
    case state = 19
    /// All of the channel was sent, save what post-copy sends.
    case end = 20
    /// The machine is the destination's from here on.
    case commit = 21
    /// Post-copy has sent all pages.
    case complete = 22
    /// The source knows what has become of the guest, and asks no more.
    case settled = 23

    // Of the destination.
    /// It has a machine as described.
    case accepted = 32
    case roundDone = 33
    /// It has everything and waits for the commit.
    case ready = 34
    /// The machine is its own: nothing can keep it from running there.
    case running = 35
    /// A page that post-copy is to send first.
    case pageRequest = 36
    /// It has all pages.
    case received = 37
    /// It needs no more pages, as the guest has ended there.
    case released = 38
    /// Whether the machine runs at the destination, to a source that asks.
    case verdict = 39

    /// In bytes. A longer frame is refused before anything is set aside for it.
    public var largestPayload: Int {
        switch self {
        case .keepalive, .accepted, .commit, .running, .released, .settled: 0
        case .missing: MissingPages.largestPayload
        case .memory: MemoryChunk.largestPayload
        case .description: 1 << 20
        case .state: 16 << 20
        case .hello, .abort, .roundEnd, .end, .complete, .roundDone, .ready, .pageRequest, .received, .verdict:
            64 << 10
        }
    }
}

extension FrameType: CustomStringConvertible {
    /// As in "a frame of type round end".
    public var description: String {
        switch self {
        case .hello: "hello"
        case .keepalive: "keepalive"
        case .abort: "abort"
        case .description: "description"
        case .memory: "memory"
        case .roundEnd: "round end"
        case .state: "state"
        case .end: "end"
        case .commit: "commit"
        case .complete: "complete"
        case .accepted: "accepted"
        case .roundDone: "round done"
        case .ready: "ready"
        case .running: "running"
        case .pageRequest: "page request"
        case .received: "received"
        case .missing: "missing pages"
        case .released: "released"
        case .settled: "settled"
        case .verdict: "verdict"
        }
    }
}
