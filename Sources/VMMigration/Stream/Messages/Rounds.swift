import VMState

/// All memory of a round was sent on a channel. No page comes twice in it,
/// so that its frames may be dealt with in any order: which bytes of a page would stay is not said.
public struct RoundEnd: StreamMessage {
    /// From 0.
    public var round: UInt64
    /// Of the round, on this channel.
    public var sent: PageCounts
    /// Whether the machine is paused, so that no round follows.
    public var isLast: Bool

    public init(round: UInt64, sent: PageCounts, isLast: Bool) {
        self.round = round
        self.sent = sent
        self.isLast = isLast
    }

    public static let frameType = FrameType.roundEnd
    public static let kind = "stream.roundEnd"
    public static let version: UInt32 = 1

    public init() {
        self.init(round: 0, sent: PageCounts(), isLast: false)
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("round", &round)
        try sent.exchange(with: &archive)
        try archive.flag("is last", &isLast)
    }
}

/// All memory of a round is in place.
public struct RoundDone: StreamMessage {
    public var round: UInt64

    public init(round: UInt64) {
        self.round = round
    }

    public static let frameType = FrameType.roundDone
    public static let kind = "stream.roundDone"
    public static let version: UInt32 = 1

    public init() {
        self.init(round: 0)
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("round", &round)
    }
}
