import VMDirtyTracking

/// A heat map for a terminal, a line for each interval: its end, the memory, what it wrote a second, and the distinct pages
/// written so far. No line is wider than the terminal; where that is narrow, the numbers go first.
struct TerminalHeatmap {
    private let axis: HeatmapAxis
    private let shading: TerminalShading
    private let width: Int
    private let hasTime: Bool
    private let hasRate: Bool
    private let hasWorkingSet: Bool
    /// Characters of the map.
    private let mapWidth: Int

    private static let timeWidth = 8
    private static let rateWidth = 11
    private static let workingSetWidth = 10

    /// - Parameters:
    ///   - axis: of the rows to come. It can have any number of columns.
    ///   - width: of the terminal, in characters; less than one counts as one.
    init(_ axis: HeatmapAxis, width: Int, _ shading: TerminalShading) {
        self.axis = axis
        self.shading = shading
        let width = max(width, 1)
        self.width = width
        hasTime = width >= 20
        hasRate = width >= 30
        hasWorkingSet = width >= 40
        let taken =
            (hasTime ? Self.timeWidth : 0) + (hasRate ? Self.rateWidth : 0)
            + (hasWorkingSet ? Self.workingSetWidth : 0)
        mapWidth = width - taken
    }

    // MARK: Lines

    /// What the lines to come mean: the scale of the colours, and the addresses over the map.
    var header: [String] {
        let columns = HeatmapColumns(axis, from: 0, width: Double(mapWidth), gapWidth: 0)
        let labels = AddressTicks(columns, .terminal, gap: 2).labels
        var names = Array(repeating: Character(" "), count: mapWidth)
        var ruler = Array(repeating: Character(usesBlocks ? "─" : "-"), count: mapWidth)
        for label in labels {
            for (index, letter) in label.text.enumerated() { names[cell(label.extent.lowerBound) + index] = letter }
            ruler[cell(label.anchor)] = usesBlocks ? "┬" : "+"
        }
        for gap in columns.gaps { ruler[cell(gap.x)] = usesBlocks ? "┊" : ":" }
        return [
            key,
            line(time: "time", map: String(names), rate: "written", workingSet: "working"),
            line(time: "", map: String(ruler), rate: "", workingSet: "set"),
        ]
    }

    /// An interval's.
    func line(_ row: HeatmapRow) -> String {
        line(
            time: Self.seconds(row.end), map: shading.text(levels(row)),
            rate: ByteText.aligned(row.bytesPerSecond) + "/s",
            workingSet: ByteText.aligned(Double(row.workingSet) * 4096))
    }

    private func line(time: String, map: String, rate: String, workingSet: String) -> String {
        func right(_ text: String, _ width: Int) -> String {
            let text = text.prefix(width)
            return String(repeating: " ", count: width - text.count) + text
        }
        return (hasTime ? right(time, Self.timeWidth - 1) + " " : "") + map
            + (hasRate ? " " + right(rate, Self.rateWidth - 1) : "")
            + (hasWorkingSet ? " " + right(workingSet, Self.workingSetWidth - 1) : "")
    }

    /// The scale of the colours, and how much memory a cell is, as far as there is room.
    private var key: String {
        let indent = hasTime ? Self.timeWidth : 0
        let scale = HeatLevel.allCases.flatMap { Array(repeating: $0, count: shading.cellsPerCharacter) }
        let words = (before: "none ", after: " all")
        let room = width - indent - words.before.count - HeatLevel.count - words.after.count
        guard room >= 0 else { return "" }
        let cell = Double(axis.pageCount) * 4096 / Double(cellCount)
        let size = " of \(ByteText.rounded(cell)) a cell"
        return String(repeating: " ", count: indent) + words.before + shading.text(scale) + words.after
            + (size.count <= room ? size : "")
    }

    private var usesBlocks: Bool { shading.cellsPerCharacter == 2 }

    private var cellCount: Int { mapWidth * shading.cellsPerCharacter }

    private func cell(_ x: Double) -> Int { max(0, min(mapWidth - 1, Int(x))) }

    private static func seconds(_ time: Duration) -> String {
        let seconds = time.components.seconds
        let tenths = time.components.attoseconds / 100_000_000_000_000_000
        return seconds < 1000 ? "\(seconds).\(tenths) s" : "\(seconds) s"
    }

    // MARK: Cells

    /// A level for each cell: the columns that it shares, or the one that it is a part of.
    private func levels(_ row: HeatmapRow) -> [HeatLevel] {
        let cells = cellCount
        let columns = min(axis.columnCount, row.pages.count)
        guard columns > 0 else { return Array(repeating: .none, count: cells) }
        return (0..<cells).map { cell in
            let first = cell * columns / cells
            let end = max(first + 1, (cell + 1) * columns / cells)
            let pages = row.pages[first..<end].reduce(0, +)
            let capacity = axis.positions(ofColumn: first).lowerBound..<axis.positions(ofColumn: end - 1).upperBound
            return HeatLevel(pages: pages, of: UInt64(capacity.count), intervalCount: row.intervalCount)
        }
    }
}
