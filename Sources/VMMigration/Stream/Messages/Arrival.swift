import VMState

/// The destination has everything and waits for the commit.
public struct Ready: StreamMessage {
    /// What restoring the state took, and starting the vCPUs' threads.
    public var restoreNanoseconds: UInt64
    /// What comparing the memory took before that.
    public var compareNanoseconds: UInt64

    public init(restoreNanoseconds: UInt64, compareNanoseconds: UInt64 = 0) {
        self.restoreNanoseconds = restoreNanoseconds
        self.compareNanoseconds = compareNanoseconds
    }

    public static let frameType = FrameType.ready
    public static let kind = "stream.ready"
    public static let version: UInt32 = 1

    public init() {
        self.init(restoreNanoseconds: 0)
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("restore nanoseconds", &restoreNanoseconds)
        try archive.number("compare nanoseconds", &compareNanoseconds)
    }
}

/// Everything of the channel is in place.
public struct Received: StreamMessage {
    /// Of what the source sent on the channel.
    public var digest: UInt64

    public init(digest: UInt64) {
        self.digest = digest
    }

    public static let frameType = FrameType.received
    public static let kind = "stream.received"
    public static let version: UInt32 = 1

    public init() {
        self.init(digest: 0)
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("digest", &digest)
    }
}
