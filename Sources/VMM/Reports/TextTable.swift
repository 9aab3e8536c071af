import VMBoot

/// Rows of text in aligned columns. What is in it of others' text cannot drive the reader's terminal.
struct TextTable {
    private let rightAligned: Set<Int>
    private var rows: [[String]] = []

    /// - Parameter rightAligned: the columns of numbers, from 0.
    init(rightAligned: Set<Int> = []) {
        self.rightAligned = rightAligned
    }

    /// - Parameter row: the columns at the end that it does not have are empty. The last it has may be longer than the
    ///   column is wide, and reach into those.
    mutating func append(_ row: [String]) {
        rows.append(row.map(\.escapingControlCharacters))
    }

    /// Two spaces between columns, none at the ends of lines.
    var lines: [String] {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                if column < row.count - 1 { widths[column] = max(widths[column], cell.count) }
            }
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: max(0, widths[column] - cell.count))
                line += (column == 0 ? "" : "  ") + (rightAligned.contains(column) ? padding + cell : cell + padding)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
