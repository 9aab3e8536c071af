/// Where the rounds of a migration are in a picture: from left to right, all equally wide.
struct RoundScale {
    let line: ClosedRange<Double>
    let count: Int

    /// Wider bars would say nothing more.
    private static let widestBar = 56.0

    /// - Parameter count: none count as one.
    init(_ count: Int, line: ClosedRange<Double> = StackedPicture.line) {
        self.line = line
        self.count = max(count, 1)
    }

    private var unit: Double { (line.upperBound - line.lowerBound) / Double(count) }

    /// A round's share of the line.
    func slot(_ index: Int) -> ClosedRange<Double> {
        let start = line.lowerBound + unit * Double(index)
        return start...(start + unit)
    }

    func centre(_ index: Int) -> Double { line.lowerBound + unit * (Double(index) + 0.5) }

    /// Of the bar of a round.
    func bar(_ index: Int) -> (x: Double, width: Double) {
        let width = min(Self.widestBar, unit >= 4 ? unit * 0.8 : unit)
        return (centre(index) - width / 2, width)
    }
}
