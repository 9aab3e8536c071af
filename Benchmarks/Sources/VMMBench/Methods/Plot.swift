import BenchmarkSupport
import Glibc

/// A plot of lines over the working set, which is on a logarithmic axis, as a part of an SVG.
struct Plot {
    /// The values on the vertical axis, from the lowest to the highest, with their labels.
    struct Axis {
        let ticks: [(value: Double, label: String)]
        let isLogarithmic: Bool

        /// Where a value is: 0 for the lowest, 1 for the highest. Values beyond are at the end.
        func position(_ value: Double) -> Double {
            let map = { (value: Double) in isLogarithmic ? log10(max(value, 1e-9)) : value }
            guard let first = ticks.first, let last = ticks.last else { return 0 }
            return min(1, max(0, (map(value) - map(first.value)) / (map(last.value) - map(first.value))))
        }
    }

    let x: Double
    let y: Double
    let width: Double
    let height: Double
    let axis: Axis
    /// Whether its axes have labels: those within a grid of plots have not.
    let hasLeftLabels: Bool
    let hasLowerLabels: Bool

    private static let sets = Axis(
        ticks: [(0.1, "0.1"), (1, "1"), (10, "10"), (100, "100")], isLogarithmic: true)

    var svg: String {
        var text = "<rect class=\"frame\" x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\"/>\n"
        for tick in axis.ticks {
            let level = top(tick.value)
            text += "<path class=\"grid\" d=\"M\(x) \(level)h\(width)\"/>\n"
            if hasLeftLabels {
                text += "<text class=\"end\" x=\"\(x - 6)\" y=\"\(level + 4)\">\(tick.label)</text>\n"
            }
        }
        for tick in Self.sets.ticks {
            let left = left(tick.value)
            text += "<path class=\"grid\" d=\"M\(left) \(y)v\(height)\"/>\n"
            if hasLowerLabels {
                text += "<text class=\"middle\" x=\"\(left)\" y=\"\(y + height + 16)\">\(tick.label)</text>\n"
            }
        }
        return text
    }

    /// A line by its points: the working set in per cent, and a value.
    func line(_ points: [(Double, Double)], _ style: LineStyle) -> String {
        let places = points.map { (left($0.0), top($0.1)) }
        let path = places.enumerated().map { ($0 == 0 ? "M" : "L") + "\($1.0.decimal(1)) \($1.1.decimal(1))" }
        return "<path class=\"line\" stroke=\"\(style.color)\" stroke-dasharray=\"\(style.dashes)\""
            + " d=\"\(path.joined())\"/>\n" + places.map { style.marker($0.0, $0.1) }.joined()
    }

    private func left(_ set: Double) -> Double { x + 14 + Self.sets.position(set) * (width - 28) }
    private func top(_ value: Double) -> Double { y + height - 8 - axis.position(value) * (height - 16) }
}

/// What tells a line from others, in colour and without.
struct LineStyle {
    enum Shape {
        case circle, square, triangle
    }

    let color: String
    let dashes: String
    let shape: Shape

    /// Its mark at a point.
    func marker(_ x: Double, _ y: Double) -> String {
        let (left, top) = (x.decimal(1), y.decimal(1))
        return switch shape {
        case .circle: "<circle cx=\"\(left)\" cy=\"\(top)\" r=\"4\" fill=\"\(color)\"/>\n"
        case .square:
            "<rect x=\"\((x - 4).decimal(1))\" y=\"\((y - 4).decimal(1))\" width=\"8\" height=\"8\" fill=\"#fff\""
                + " stroke=\"\(color)\" stroke-width=\"1.8\"/>\n"
        case .triangle: "<path d=\"M\(left) \((y - 5).decimal(1))l5 9h-10z\" fill=\"\(color)\"/>\n"
        }
    }
}
