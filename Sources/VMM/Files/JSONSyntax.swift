/// Where text stops being JSON (RFC 8259), which the decoder does not tell.
struct JSONSyntax {
    private enum Expected: String {
        case value = "a value"
        case valueOrEnd = "a value or ]"
        case key = "a key in double quotes"
        case keyOrEnd = "a key in double quotes or }"
        case colon = "a colon"
        case commaOrEnd = "a comma or the closing bracket"
        case end = "the end of the file"
    }

    private let bytes: [UInt8]
    private var position = 0
    /// The closing brackets that are due, the next one last.
    private var closing: [UInt8] = []
    private var expected = Expected.value

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// What is expected at the first place where it is not; nil for JSON.
    static func fault(in bytes: [UInt8]) -> String? {
        var scan = JSONSyntax(bytes)
        while true {
            scan.skip { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
            guard scan.position < bytes.count else {
                return scan.expected == .end ? nil : "it ends where \(scan.expected.rawValue) should follow"
            }
            let start = scan.position
            guard scan.takeToken() else {
                return "\(scan.place(of: start)): \(scan.expected.rawValue) should be here"
            }
        }
    }

    private func place(of position: Int) -> String {
        let before = bytes[..<position]
        let line = before.lastIndex(of: UInt8(ascii: "\n")).map { before[($0 + 1)...] } ?? before
        // The second and later bytes of a character do not count.
        let column = line.count { $0 & 0xc0 != 0x80 } + 1
        return "line \(before.count { $0 == UInt8(ascii: "\n") } + 1), column \(column)"
    }

    // MARK: Tokens

    /// False where the next byte begins nothing that may follow.
    private mutating func takeToken() -> Bool {
        let byte = bytes[position]
        switch expected {
        case .end: return false
        case .colon: return take(byte == UInt8(ascii: ":"), then: .value)
        case .key: return byte == UInt8(ascii: "\"") && takeString(then: .colon)
        case .keyOrEnd where byte == UInt8(ascii: "\""): return takeString(then: .colon)
        case .valueOrEnd where byte == closing.last, .keyOrEnd where byte == closing.last: return close()
        case .keyOrEnd: return false
        case .commaOrEnd:
            if byte == closing.last { return close() }
            let next: Expected = closing.last == UInt8(ascii: "}") ? .key : .value
            return take(byte == UInt8(ascii: ","), then: next)
        case .value, .valueOrEnd: return takeValue(byte)
        }
    }

    private mutating func takeValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"): return open(UInt8(ascii: "}"), .keyOrEnd)
        case UInt8(ascii: "["): return open(UInt8(ascii: "]"), .valueOrEnd)
        case UInt8(ascii: "\""): return takeString(then: afterValue)
        default: return takeWord()
        }
    }

    private var afterValue: Expected { closing.isEmpty ? .end : .commaOrEnd }

    private mutating func take(_ isThere: Bool, then next: Expected) -> Bool {
        guard isThere else { return false }
        position += 1
        expected = next
        return true
    }

    private mutating func open(_ bracket: UInt8, _ next: Expected) -> Bool {
        closing.append(bracket)
        return take(true, then: next)
    }

    private mutating func close() -> Bool {
        closing.removeLast()
        return take(true, then: afterValue)
    }

    private mutating func takeString(then next: Expected) -> Bool {
        var end = position + 1
        while end < bytes.count, bytes[end] != UInt8(ascii: "\""), bytes[end] >= 0x20 {
            end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "\"") else { return false }
        position = end
        return take(true, then: next)
    }

    /// A number, or one of the three names.
    private mutating func takeWord() -> Bool {
        let start = position
        skip { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || "+-.0123456789E".utf8.contains($0) }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        guard ["true", "false", "null"].contains(word) || Self.isNumber(word) else { return false }
        expected = afterValue
        return true
    }

    private static func isNumber(_ word: String) -> Bool {
        let digits = word.drop { $0 == "-" }
        let hasLeadingZero = digits.hasPrefix("0") && digits.dropFirst().first?.isNumber == true
        return digits.first?.isNumber == true && !hasLeadingZero && !word.contains("x") && Double(word) != nil
    }

    private mutating func skip(_ condition: (UInt8) -> Bool) {
        while position < bytes.count, condition(bytes[position]) { position += 1 }
    }
}
