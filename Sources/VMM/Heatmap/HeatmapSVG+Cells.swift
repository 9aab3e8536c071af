import VMDirtyTracking

/// The map itself.
extension HeatmapSVG {
    func drawCells(_ markup: inout Markup) {
        for segment in layout.columns.segments {
            markup.rectangle(
                "ground", x: segment.x, y: layout.top, width: segment.width, height: layout.bottom - layout.top)
        }
        markup.element("g", ["class": "cells", "shape-rendering": "crispEdges"]) { markup in
            for segment in layout.columns.segments { draw(&markup, segment) }
        }
    }

    private func draw(_ markup: inout Markup, _ segment: HeatmapColumns.Segment) {
        let paths = paths(segment.columns)
        guard paths.contains(where: { !$0.isEmpty }) else { return }
        let move = "translate(\(segment.x.attributeText) \(layout.top.attributeText))"
        let scale = "scale(\(layout.columns.unit.decimal(places: 6)) \(layout.rowHeight.attributeText))"
        markup.element("g", ["transform": "\(move) \(scale)"]) { markup in
            for (level, path) in paths.enumerated() where !path.isEmpty {
                markup.element("path", ["class": "h\(level)", "d": path.data])
            }
        }
    }

    /// The cells of some columns, by level.
    private func paths(_ columns: Range<Int>) -> [CellPath] {
        var paths = Array(repeating: CellPath(), count: HeatLevel.count)
        for (index, row) in heatmap.rows.enumerated() {
            var column = columns.lowerBound
            while column < columns.upperBound {
                let level = level(row, column)
                let start = column
                repeat { column += 1 } while column < columns.upperBound && self.level(row, column) == level
                if level > .none {
                    paths[level.index].add(
                        row: index, columns: (start - columns.lowerBound)..<(column - columns.lowerBound))
                }
            }
        }
        return paths
    }

    private func level(_ row: HeatmapRow, _ column: Int) -> HeatLevel {
        HeatLevel(
            pages: row.pages[column], of: heatmap.axis.pageCount(ofColumn: column), intervalCount: row.intervalCount)
    }

    /// Gaps in the map, for holes in memory.
    func drawGaps(_ markup: inout Markup) {
        for gap in layout.columns.gaps {
            guard let below = gap.holes.first?.below, let above = gap.holes.last?.above else { continue }
            let size = ByteText.rounded(above.rawValue - below.rawValue - 1)
            let words =
                gap.holes.count == 1
                ? "\(size) without memory between \(below) and \(above)"
                : "\(gap.holes.count) holes in memory between \(below) and \(above)"
            markup.element("g") { markup in
                markup.tooltip(words)
                drawGap(&markup, x: gap.x, width: gap.width, from: layout.top - 4, to: layout.bottom + 4)
            }
        }
    }

    func drawGap(_ markup: inout Markup, x: Double, width: Double, from top: Double, to bottom: Double) {
        markup.rectangle("paper", x: x, y: top, width: width, height: bottom - top)
        markup.element(
            "line",
            [
                "class": "tick", "x1": x + width / 2, "y1": top, "x2": x + width / 2, "y2": bottom,
                "stroke-dasharray": "3 3",
            ])
    }
}

/// Runs of cells as the data of a path: from one to the next in steps, each cell one wide and one high.
private struct CellPath {
    private(set) var data = ""
    /// Where the pen is, in columns and rows.
    private var pen = (x: 0, y: 0)

    var isEmpty: Bool { data.isEmpty }

    mutating func add(row: Int, columns: Range<Int>) {
        if data.isEmpty {
            data = "M\(columns.lowerBound) \(row).5"
        } else {
            let down = row - pen.y
            // A minus sign parts numbers as a space does.
            data += "m\(columns.lowerBound - pen.x)" + (down < 0 ? "" : " ") + "\(down)"
        }
        data += "h\(columns.count)"
        pen = (columns.upperBound, row)
    }
}
