/// Numbers as crash reports print them.
enum Hex {
    /// `0x1f`
    static func short(_ value: UInt64) -> String {
        "0x" + String(value, radix: 16)
    }

    /// Without `0x`, filled up with zeros to `digits`.
    static func padded(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// `0f 0b`
    static func bytes(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { padded(UInt64($0), 2) }.joined(separator: " ")
    }
}
