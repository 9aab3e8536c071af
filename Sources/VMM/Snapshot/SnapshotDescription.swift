import VMMigration
import VMState

/// What a snapshot has, for people.
struct SnapshotDescription: CustomStringConvertible {
    let snapshot: Snapshot

    var description: String {
        var lines = ["\(snapshot.path): \(snapshot.isFull ? "full" : "differential") snapshot \(snapshot.id)"]
        for file in snapshot.files.dropFirst() {
            lines.append("  built on \(file.path): \(file.isFull ? "full" : "differential") snapshot \(file.id)")
        }
        lines.append("memory")
        for block in snapshot.blocks { lines.append("  \(block.name): \(ByteText.rounded(block.byteCount))") }
        lines.append(
            "  pages with data: \(snapshot.pageCounts.data), zero: \(snapshot.pageCounts.zero)")
        lines.append("state")
        for record in snapshot.state.records { lines += Self.lines(record) }
        return lines.joined(separator: "\n")
    }

    private static func lines(_ record: StateRecord) -> [String] {
        ["  \(record.kind) \(record.instance), version \(record.version)"]
            + record.fields.map { "    \($0.name) = \(text($0.value))" }
    }

    private static func text(_ value: StateValue) -> String {
        switch value {
        case .number(let number): "0x" + String(number, radix: 16)
        case .numbers(let numbers):
            "\(numbers.count) numbers: " + list(numbers.prefix(16).map { String($0, radix: 16) }, numbers.count)
        case .bytes(let bytes):
            "\(bytes.count) bytes: " + list(bytes.prefix(16).map { String($0, radix: 16) }, bytes.count)
        case .text(let text): "\"\(text)\""
        }
    }

    private static func list(_ shown: [String], _ count: Int) -> String {
        shown.joined(separator: " ") + (shown.count < count ? " …" : "")
    }
}
