import VMAddressSpace

/// A guest-physical address as people write it: `0x100000`, or a decimal number with or without a unit (`1M`).
public struct HexAddress: Hashable, Sendable {
    /// Guest-physical.
    public var address: GuestAddress

    /// - Parameter address: guest-physical.
    public init(_ address: GuestAddress) {
        self.address = address
    }

    /// - Returns: nil for what `ByteSize` does not take.
    public init?(_ text: String) {
        guard let size = ByteSize(text) else { return nil }
        self.address = GuestAddress(size.bytes)
    }
}

extension HexAddress: Codable {
    /// A number, or text as `init(_:)` takes it.
    public init(from decoder: any Decoder) throws {
        guard let size = try? ByteSize(from: decoder) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath,
                    debugDescription: "is no address; write, say, 0x100000 or 1M, or a number"))
        }
        self.address = GuestAddress(size.bytes)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(address.description)
    }
}
