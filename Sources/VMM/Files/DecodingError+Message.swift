extension DecodingError {
    /// The key at fault first, then what is wrong with it.
    var message: String {
        switch self {
        case .typeMismatch(let type, let context):
            "\(Self.key(context.codingPath)): is not of the right type, which is \(Self.name(type))"
        case .valueNotFound(let type, let context):
            "\(Self.key(context.codingPath)): is null, and should be of type \(Self.name(type))"
        case .keyNotFound(let key, let context):
            "\(Self.key(context.codingPath + [key])): is missing"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            "is not JSON: \(Self.reason(context))"
        case .dataCorrupted(let context):
            "\(Self.key(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            "\(self)"
        }
    }

    private static func reason(_ context: Context) -> String {
        guard let error = context.underlyingError else { return context.debugDescription }
        return "\(error)"
    }

    /// As in JavaScript: `modules[0].path`.
    private static func key(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "the whole" }
        return path.enumerated().map { depth, key in
            key.intValue.map { "[\($0)]" } ?? (depth == 0 ? "" : ".") + key.stringValue
        }.joined()
    }

    private static func name(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "string"
        case is Bool.Type: "true or false"
        case is Int.Type, is UInt64.Type: "integer"
        case is Double.Type: "number"
        default:
            // The decoder names containers by types of its own.
            "\(type)".hasPrefix("Array") ? "array" : "\(type)".hasPrefix("Dictionary") ? "object" : "\(type)"
        }
    }
}
