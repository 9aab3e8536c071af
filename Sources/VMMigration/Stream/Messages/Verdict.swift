import VMState

/// What has become of the machine at the destination: final, to a source that asks.
public struct Verdict: StreamMessage {
    /// The one that was asked about.
    public var migration: MigrationID
    /// Whether the machine was started there; otherwise it never will be.
    public var isRunning: Bool

    public init(_ migration: MigrationID, isRunning: Bool) {
        self.migration = migration
        self.isRunning = isRunning
    }

    public static let frameType = FrameType.verdict
    public static let kind = "stream.verdict"
    public static let version: UInt32 = 1

    public init() {
        self.init(MigrationID([UInt8](repeating: 0, count: MigrationID.byteCount)), isRunning: false)
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        var bytes = migration.bytes
        try archive.bytes("migration", &bytes, count: MigrationID.byteCount...MigrationID.byteCount)
        migration = MigrationID(bytes)
        try archive.flag("running", &isRunning)
    }
}
