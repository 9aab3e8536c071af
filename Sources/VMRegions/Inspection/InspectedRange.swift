import VMAddressSpace

/// Guest-physical addresses in an inspection: as strings, since 64 bits are more than a number of JSON holds everywhere.
public struct InspectedRange: Hashable, Sendable, Codable, CustomStringConvertible {
    public let range: MemoryRange

    public init(_ range: MemoryRange) {
        self.range = range
    }

    public var description: String { range.description }

    private enum CodingKeys: String, CodingKey {
        case start
        case last
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let first = try container.decode(HexadecimalNumber.self, forKey: .start)
        let last = try container.decode(HexadecimalNumber.self, forKey: .last)
        range = try MemoryRange(from: GuestAddress(first.value), through: GuestAddress(last.value))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(HexadecimalNumber(range.start.rawValue), forKey: .start)
        try container.encode(HexadecimalNumber(range.last.rawValue), forKey: .last)
    }
}

/// A number as `"0x1000"`.
struct HexadecimalNumber: Hashable, Sendable, Codable {
    let value: UInt64

    init(_ value: UInt64) {
        self.value = value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is no number like 0x1000")
        }
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hexadecimal(value))
    }
}
