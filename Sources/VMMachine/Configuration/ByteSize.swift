/// A number of bytes as people write it: `4096`, `0x1000`, `512K`, `64M`, `1G`, `2T` (powers of 1024; a trailing
/// `B` or `iB` and the case do not matter).
public struct ByteSize: Hashable, Sendable {
    /// In bytes.
    public var bytes: UInt64

    /// - Parameter bytes: any number, zero too.
    public init(bytes: UInt64) {
        self.bytes = bytes
    }

    /// - Returns: nil for anything else, and for what passes 2^64 - 1 bytes.
    public init?(_ text: String) {
        var digits = Substring(text.lowercased())
        if digits.hasPrefix("0x") {
            guard let value = UInt64(digits.dropFirst(2), radix: 16) else { return nil }
            self.bytes = value
            return
        }
        for unit in ["ib", "b"] where digits.hasSuffix(unit) {
            digits = digits.dropLast(unit.count)
            break
        }
        var shift: UInt64 = 0
        if let letter = digits.last, let index = Self.units.firstIndex(of: letter) {
            shift = UInt64(index + 1) * 10
            digits = digits.dropLast()
        }
        guard digits.first?.isASCII == true, digits.first != "+", let value = UInt64(digits) else { return nil }
        let (bytes, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    private static let units: [Character] = ["k", "m", "g", "t"]
}

extension ByteSize: CustomStringConvertible {
    /// In the largest unit that divides it.
    public var description: String {
        for (index, letter) in Self.units.enumerated().reversed() {
            let unit = UInt64(1) << (UInt64(index + 1) * 10)
            if bytes >= unit, bytes.isMultiple(of: unit) { return "\(bytes / unit)\(letter.uppercased())" }
        }
        return "\(bytes)"
    }
}

extension ByteSize: Codable {
    /// A number of bytes, or text as `init(_:)` takes it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let bytes = try? container.decode(UInt64.self) {
            self.init(bytes: bytes)
            return
        }
        guard let text = try? container.decode(String.self), let size = ByteSize(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "is no size; write bytes or, say, 64M or 1G")
        }
        self = size
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
