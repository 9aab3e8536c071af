import VMMigration

/// The rounds of a migration as lines of text, each by itself, so that they can be shown one by one. No line is wider than 80
/// characters.
enum RoundTable {
    private static let widths = [5, 10, 9, 10, 11, 11, 10, 6]

    static let header = [
        line(["round", "pages", "sent", "time", "rate", "dirtied", "downtime", "slowed"]),
        line(["", "", "", "", "", "", "expected", "down"]),
    ]

    /// A round that is over.
    static func line(_ round: MigrationRound) -> String {
        line(cells(round))
    }

    /// What is known of a round: number, pages, bytes, time, bytes a second, bytes dirtied a second, downtime, throttle.
    static func cells(_ round: MigrationRound) -> [String] {
        [
            "\(round.number)", round.dirtyPages.grouped, ByteText.aligned(Double(round.sent.bytes)),
            DurationText.rounded(round.duration), ByteText.aligned(round.bandwidth) + "/s",
            round.isLast ? "stopped" : ByteText.aligned(round.dirtyPagesRate * 4096) + "/s",
            round.expectedDowntime.map(DurationText.rounded) ?? "",
            round.throttlePercent > 0 ? "\(round.throttlePercent) %" : "",
        ]
    }

    private static func line(_ cells: [String]) -> String {
        var line = ""
        for (cell, width) in zip(cells, widths) {
            line += String(repeating: " ", count: max(0, width - cell.count) + (line.isEmpty ? 0 : 1)) + cell
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// How far the round under way is.
    /// - Parameter width: of the terminal.
    static func progressLine(_ progress: MigrationProgress, width: Int) -> String {
        guard progress.status == .active else { return "      \(progress.status.rawValue) …" }
        let pages = progress.rounds.last?.pendingPages ?? progress.total / progress.pageSize
        let total = pages * progress.pageSize
        let share = total > 0 ? 1 - min(1, Double(progress.remaining) / Double(total)) : 1
        let barWidth = max(0, min(30, width - 48))
        let filled = Int(Double(barWidth) * share)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
        let number = String("    \(progress.rounds.count)".suffix(5))
        let percent = String("  \((share * 100).decimal(places: 0))".suffix(3))
        return "\(number)  [\(bar)] \(percent) %, \(ByteText.rounded(progress.remaining)) of "
            + "\(ByteText.rounded(total)) left"
    }
}
