import FoundationEssentials

/// JSON as the program prints it: keys in order, slashes as they are.
enum JSONText {
    /// Indented, over several lines.
    static func make(_ value: some Encodable) throws(Failure) -> String {
        try make(value, [.prettyPrinted])
    }

    /// In one line.
    static func line(_ value: some Encodable) throws(Failure) -> String {
        try make(value, [])
    }

    private static func make(
        _ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting
    ) throws(Failure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw Failure(.ioError, "cannot write JSON: \(error)")
        }
    }
}
