/// A length of time as people write it: `10` or `10s`, `500ms`, `2m`, `1h`, with a decimal point if they like.
public struct TimeLimit: Hashable, Sendable {
    /// At least a millisecond, where it was read from text.
    public var duration: Duration

    /// - Parameter duration: more than zero.
    public init(_ duration: Duration) {
        self.duration = duration
    }

    /// - Returns: nil for anything else, for less than a millisecond, and for more than a century.
    public init?(_ text: String) {
        let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        var digits = Substring(text)
        var scale = 1.0
        if let unit = units.first(where: { text.hasSuffix($0.suffix) }) {
            digits = digits.dropLast(unit.suffix.count)
            scale = unit.seconds
        }
        guard digits.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }), let value = Double(digits) else {
            return nil
        }
        let seconds = value * scale
        guard seconds >= 0.001, seconds < 100 * 365 * 24 * 3600 else { return nil }
        self.duration = .seconds(seconds)
    }
}

extension TimeLimit: CustomStringConvertible {
    public var description: String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        return milliseconds == 0 ? "\(seconds)s" : "\(seconds * 1000 + milliseconds)ms"
    }
}

extension TimeLimit: Codable {
    /// Seconds, or text as `init(_:)` takes it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = (try? container.decode(Double.self)).map { "\($0)" } ?? (try? container.decode(String.self))
        guard let text, let limit = TimeLimit(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "is no length of time; write seconds or, say, 10s or 500ms")
        }
        self = limit
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
