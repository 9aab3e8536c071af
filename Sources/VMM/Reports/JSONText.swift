import FoundationEssentials

/// JSON as the program prints it: indented, keys in order, slashes as they are.
enum JSONText {
    static func make(_ value: some Encodable) throws(Failure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw Failure(.ioError, "cannot write JSON: \(error)")
        }
    }
}
