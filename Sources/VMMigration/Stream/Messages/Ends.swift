import VMState

/// All of a channel was sent, save what post-copy sends.
public struct End: StreamMessage {
    /// Of each channel, for the main one: of itself before this frame, of the others with their end. An extra channel has
    /// one, its own before this frame.
    public var digests: [UInt64]
    /// In all rounds of the channel.
    public var sent: PageCounts
    /// Whether pages follow when the machine runs at the destination.
    public var isPostCopy: Bool
    /// What each block of memory contains, for the destination to compare; empty where it need not. Of the main channel alone.
    /// A block's is the XXH3-64 of its last page of 4 KiB, seeded with that of the page before, and so on to the first, whose
    /// seed is 0.
    public var memory: [UInt64]

    public init(digests: [UInt64], sent: PageCounts, isPostCopy: Bool = false, memory: [UInt64] = []) {
        self.digests = digests
        self.sent = sent
        self.isPostCopy = isPostCopy
        self.memory = memory
    }

    public static let frameType = FrameType.end
    public static let kind = "stream.end"
    public static let version: UInt32 = 1

    public init() {
        self.init(digests: [], sent: PageCounts())
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.numbers("digests", &digests, count: 1...Hello.channelLimit)
        try sent.exchange(with: &archive)
        try archive.flag("is post-copy", &isPostCopy)
        try archive.numbers("memory", &memory, count: 0...Self.blockLimit)
    }

    /// More than there can be in a frame of the type.
    private static let blockLimit = Int(UInt16.max)
}

/// Post-copy has sent all pages.
public struct Complete: StreamMessage {
    /// Of the channel before this frame.
    public var digest: UInt64
    /// In post-copy.
    public var sent: PageCounts

    public init(digest: UInt64, sent: PageCounts) {
        self.digest = digest
        self.sent = sent
    }

    public static let frameType = FrameType.complete
    public static let kind = "stream.complete"
    public static let version: UInt32 = 1

    public init() {
        self.init(digest: 0, sent: PageCounts())
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("digest", &digest)
        try sent.exchange(with: &archive)
    }
}
