import BenchmarkSupport

/// The comparison of the methods in Markdown, a row for each load as soon as it is measured.
enum MethodsTable {
    static let header = """
        | Set | Rate | Interval | Untracked, Mpages/s | Lost: log | manual | ring | Harvest, ms: log | manual | ring \
        | ms/GiB: log | manual | ring | Full rings/s |
        |-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|
        """

    static func row(_ load: Load, _ figures: [MethodFigures]) -> String {
        let untracked = figures.map(\.untracked).reduce(0, +) / Double(figures.count) / 1e6
        var cells = [percent(load.workingSet), load.rateName, load.intervalName, untracked.significant]
        cells += figures.map { (100 * $0.loss).decimal(1) + " %" }
        cells += figures.map(\.harvestTime.significant)
        cells += figures.map { $0.timePerGiB?.significant ?? "" }
        cells.append(figures.last?.fullRings.decimal(0) ?? "")
        return "| " + cells.joined(separator: " | ") + " |"
    }

    static func json(_ load: Load, _ figures: MethodFigures) -> String {
        "{\"name\":\"dirty-methods\",\"method\":\"\(figures.method.rawValue)\",\"workingSet\":\(load.workingSet),"
            + "\"rate\":\(load.rate.map { "\($0)" } ?? "null"),\"interval\":\(load.interval),"
            + "\"untracked\":\(figures.untracked.decimal(0)),\"tracked\":\(figures.tracked.decimal(0)),"
            + "\"harvest\":\(figures.harvestTime.decimal(4)),\"pages\":\(figures.pageCount.decimal(0)),"
            + "\"fullRings\":\(figures.fullRings.decimal(1))}"
    }

    private static func percent(_ share: Double) -> String { share.decimal(share < 1 ? 1 : 0) + " %" }
}

extension Double {
    /// With about three digits that mean something.
    fileprivate var significant: String { decimal(self < 0.1 ? 4 : self < 1 ? 3 : self < 10 ? 2 : self < 100 ? 1 : 0) }
}
