import VMState

/// The first message of both sides on each channel. It comes before a version is agreed on, so what it has never changes.
public struct Hello: StreamMessage {
    /// In one migration.
    public static let channelLimit = 64

    public var side: MigrationID.Side
    /// Those the source offers; the one the destination has taken.
    public var versions: ProtocolVersions
    /// What the sender is, for people.
    public var program: String
    public var migration: MigrationID
    /// Which one this is, from 0, the main one.
    public var channel: Int
    public var channelCount: Int
    /// Names of what the source can do; of what both can do. Names that are not known mean nothing.
    public var features: [String]
    /// Which process the sender is, as `ProcessName` has it, by which the other side finds out whether it is the one that the
    /// kernel knows as its peer; empty where that is not known, or of no use.
    public var process: String

    public init(
        side: MigrationID.Side, versions: ProtocolVersions = .own, program: String, migration: MigrationID,
        channel: Int = 0, channelCount: Int = 1, features: [String] = [], process: String = ""
    ) {
        self.side = side
        self.versions = versions
        self.program = String(printable: program, limit: Self.programLimit)
        self.migration = migration
        self.channel = channel
        self.channelCount = channelCount
        self.features = features
        self.process = process
    }

    /// Of the destination, to a source's.
    /// - Parameter features: what the destination can do.
    public func answer(version: UInt32, program: String, features: [String]) -> Hello {
        let own = Set(features)
        return Hello(
            side: .destination, versions: ProtocolVersions(version...version), program: program,
            migration: migration, channel: channel, channelCount: channelCount,
            features: self.features.filter(own.contains), process: ProcessName.own)
    }

    // Its record.
    private static let programLimit = 256
    private static let featuresLimit = 4096
    private static let processLimit = 128
    public static let frameType = FrameType.hello
    public static let kind = "stream.hello"
    public static let version: UInt32 = 1

    public init() {
        self.init(
            side: .source, program: "", migration: MigrationID([UInt8](repeating: 0, count: MigrationID.byteCount)))
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.choice("side", &side)
        var lowest = versions.range.lowerBound
        var highest = versions.range.upperBound
        try archive.number("lowest version", &lowest)
        try archive.number("highest version", &highest)
        guard lowest <= highest else { throw archive.refusal("highest version", "is lower than the lowest") }
        versions = ProtocolVersions(lowest...highest)
        try archive.printable("program", &program, limit: Self.programLimit)
        var bytes = migration.bytes
        try archive.bytes("migration", &bytes, count: MigrationID.byteCount...MigrationID.byteCount)
        migration = MigrationID(bytes)
        try archive.number("channel", &channel, in: 0...(Self.channelLimit - 1))
        try archive.number("channels", &channelCount, in: 1...Self.channelLimit)
        guard channel < channelCount else { throw archive.refusal("channel", "is not one of \(channelCount)") }
        var names = features.joined(separator: " ")
        try archive.printable("features", &names, limit: Self.featuresLimit)
        features = names.split(separator: " ").map(String.init)
        try archive.printable("process", &process, limit: Self.processLimit)
    }
}
