import VMState

/// Why a side ends a migration.
public struct Abort: StreamMessage {
    /// In bytes of UTF-8.
    public static let reasonLimit = 4096

    /// In a line, for people; it cannot drive a terminal.
    public private(set) var reason: String

    /// - Parameter reason: what is longer than `reasonLimit` is cut.
    public init(reason: String) {
        self.reason = String(printable: reason, limit: Self.reasonLimit)
    }

    public static let frameType = FrameType.abort
    public static let kind = "stream.abort"
    public static let version: UInt32 = 1

    public init() {
        self.init(reason: "")
    }

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.printable("reason", &reason, limit: Self.reasonLimit)
    }
}
