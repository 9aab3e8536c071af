import BenchmarkSupport
import VMDirtyTracking

/// The comparison of the methods as an SVG: over the working set, a column of plots for each rate of writing, and rows for
/// what the guest loses and how long a harvest takes.
struct MethodsChart {
    let results: [(load: Load, figures: [MethodFigures])]

    private static let (plotWidth, plotHeight) = (210.0, 165.0)
    private static let (left, top) = (184.0, 100.0)
    private static let (columnGap, rowGap) = (16.0, 18.0)

    private static let loss = Plot.Axis(
        ticks: [(0, "0 %"), (25, "25 %"), (50, "50 %"), (75, "75 %"), (100, "100 %")], isLogarithmic: false)
    private static let time = Plot.Axis(
        ticks: [(0.01, "10 µs"), (0.1, "100 µs"), (1, "1 ms"), (10, "10 ms"), (100, "100 ms")], isLogarithmic: true)

    /// A row of plots.
    private struct Row {
        let title: [String]
        let interval: UInt64
        let axis: Plot.Axis
        let value: (MethodFigures) -> Double
    }

    private static var rows: [Row] {
        Load.intervals.map { interval in
            Row(title: ["throughput lost,", "harvest every", name(interval)], interval: interval, axis: loss) {
                100 * $0.loss
            }
        }
            + Load.intervals.map { interval in
                Row(
                    title: ["time of a harvest", "every", name(interval)], interval: interval, axis: time,
                    value: \.harvestTime)
            }
    }

    private static func name(_ interval: UInt64) -> String {
        Load(workingSet: 0, rate: nil, interval: interval).intervalName
    }

    var svg: String {
        let width = Self.left + Double(Load.rates.count) * (Self.plotWidth + Self.columnGap) + 10
        let height = Self.top + Double(Self.rows.count) * (Self.plotHeight + Self.rowGap) + 40
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)">
            <style>
            text { font: 13px sans-serif; fill: #222 } .end { text-anchor: end } .middle { text-anchor: middle }
            .title { font-weight: bold; font-size: 15px } .frame { fill: none; stroke: #888 }
            .grid { stroke: #ddd; fill: none } .line { fill: none; stroke-width: 2.2 }
            </style>
            <rect width="100%" height="100%" fill="#fff"/>
            <text class="title" x="16" y="26">Dirty tracking of a guest of 1 GiB: what it costs, by how much of it is written to</text>

            """
        text += legend
        for (column, rate) in Load.rates.enumerated() {
            let middle = x(column) + Self.plotWidth / 2
            let name = rate.map { "writes \($0) MiB/s" } ?? "writes as fast as it can"
            text += "<text class=\"middle\" x=\"\(middle)\" y=\"\(Self.top - 8)\">\(name)</text>\n"
            text += "<text class=\"middle\" x=\"\(middle)\" y=\"\(height - 14)\">working set, % of 1 GiB</text>\n"
        }
        for (number, row) in Self.rows.enumerated() { text += plots(number, row) }
        return text + "</svg>\n"
    }

    private func x(_ column: Int) -> Double { Self.left + Double(column) * (Self.plotWidth + Self.columnGap) }

    private func plots(_ number: Int, _ row: Row) -> String {
        let y = Self.top + Double(number) * (Self.plotHeight + Self.rowGap)
        var text = ""
        for (index, line) in row.title.enumerated() {
            text += "<text x=\"8\" y=\"\(y + 30 + 60 + Double(index) * 17)\">\(line)</text>\n"
        }
        for (column, rate) in Load.rates.enumerated() {
            let plot = Plot(
                x: x(column), y: y, width: Self.plotWidth, height: Self.plotHeight, axis: row.axis,
                hasLeftLabels: column == 0, hasLowerLabels: number == Self.rows.count - 1)
            text += plot.svg
            let results = results.filter { $0.load.rate == rate && $0.load.interval == row.interval }
            for method in DirtyTrackingMethod.allCases {
                let points = results.compactMap { load, figures in
                    figures.first { $0.method == method }.map { (load.workingSet, row.value($0)) }
                }
                text += plot.line(points, method.style)
            }
        }
        return text
    }

    private var legend: String {
        var text = ""
        for (index, method) in DirtyTrackingMethod.allCases.enumerated() {
            let x = Self.left + Double(index) * 130
            text +=
                "<path class=\"line\" stroke=\"\(method.style.color)\" stroke-dasharray=\"\(method.style.dashes)\""
                + " d=\"M\(x) 54h44\"/>\n" + method.style.marker(x + 22, 54)
                + "<text x=\"\(x + 54)\" y=\"58\">\(method.rawValue)</text>\n"
        }
        return text
    }
}

extension DirtyTrackingMethod {
    fileprivate var style: LineStyle {
        switch self {
        case .log: LineStyle(color: "#0b5fa5", dashes: "none", shape: .circle)
        case .manual: LineStyle(color: "#c2410c", dashes: "7 4", shape: .square)
        case .ring: LineStyle(color: "#157f3b", dashes: "2 3", shape: .triangle)
        }
    }
}
