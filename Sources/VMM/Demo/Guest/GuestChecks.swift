/// What the guest `dirty` says of its memory, as it comes: whether its passes follow each other without a gap, also from one
/// process to the other.
///
/// Bytes go in, also of a line that begins at the source and ends at the destination; nothing is kept for each line.
struct GuestChecks: Equatable, Sendable {
    /// Where the guest was when a line ended.
    enum Side: String, Sendable {
        case source, destination
    }

    /// Passes that follow each other.
    struct Passes: Equatable, Sendable {
        var first: UInt64
        var last: UInt64
    }

    private(set) var atSource: Passes?
    private(set) var atDestination: Passes?
    /// The first line that should not have been there.
    private(set) var fault: String?
    /// What the guest said of all its passes at its end.
    private(set) var total: UInt64?
    /// The last lines at the source, and the first at the destination.
    private(set) var before: [String] = []
    private(set) var after: [String] = []
    private var line: [UInt8] = []

    private static let keptLines = 3
    private static let longestLine = 256

    init() {}

    /// How many passes were found to be well.
    var passCount: UInt64 { atDestination?.last ?? atSource?.last ?? 0 }

    mutating func add(_ bytes: some Sequence<UInt8>, at side: Side) {
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                if line.count < Self.longestLine { line.append(byte) }
                continue
            }
            end(String(decoding: line, as: UTF8.self), side)
            line.removeAll(keepingCapacity: true)
        }
    }

    private mutating func end(_ line: String, _ side: Side) {
        keep(line, side)
        let words = line.split(separator: " ")
        if words.count == 3, words[0] == "pass", words[2] == "ok", let number = UInt64(words[1]) {
            note(number, line, side)
        } else if words.count == 4, words[0] == "dirty:", words[2] == "passes", words[3] == "ok",
            let number = UInt64(words[1]), total == nil
        {
            total = number
        } else if fault == nil {
            fault = line
        }
    }

    private mutating func note(_ pass: UInt64, _ line: String, _ side: Side) {
        guard pass == passCount + 1, total == nil else {
            if fault == nil { fault = "\(line), after pass \(passCount)" }
            return
        }
        switch side {
        case .source: atSource = Passes(first: atSource?.first ?? pass, last: pass)
        case .destination: atDestination = Passes(first: atDestination?.first ?? pass, last: pass)
        }
    }

    private mutating func keep(_ line: String, _ side: Side) {
        switch side {
        case .source: before = (before + [line]).suffix(Self.keptLines)
        case .destination: if after.count < Self.keptLines { after.append(line) }
        }
    }
}
