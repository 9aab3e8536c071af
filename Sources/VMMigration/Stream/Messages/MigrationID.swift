/// What all channels of one migration have in common, and no other migration has.
public struct MigrationID: Hashable, Sendable, CustomStringConvertible {
    /// Which side of a migration.
    public enum Side: UInt8, Hashable, Sendable, CaseIterable {
        case source = 1
        case destination = 2
    }

    static let byteCount = 16

    let bytes: [UInt8]

    /// - Parameter bytes: 16 of them.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public static func random() -> MigrationID {
        var generator = SystemRandomNumberGenerator()
        return MigrationID((0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    /// For the checksums of all that a side sends on a channel after its hello, so that no frame passes for one of
    /// another channel, direction or migration.
    public func seed(channel: Int, from side: Side) -> UInt64 {
        let number = UInt32(truncatingIfNeeded: channel)
        let source = bytes + (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } + [side.rawValue]
        return source.withUnsafeBytes { StreamChecksum.of($0, seed: 0) }
    }

    /// 32 hexadecimal digits.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
