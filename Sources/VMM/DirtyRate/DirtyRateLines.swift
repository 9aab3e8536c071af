import VMDirtyTracking

/// Measured intervals for people: a line for each, and below it one for each region and vCPU where there are several to
/// tell apart.
struct DirtyRateLines {
    let mode: DirtyRateMode
    let regions: [DirtyRateRegion]
    /// How long intervals are to be.
    let interval: Duration

    private static let mebibyte = 1048576.0

    /// What stands above the columns. It goes with every line of `lines(_:)`.
    var header: [String] {
        var upper = ["", "", ""]
        var lower = ["seconds", "pages/s", "MiB/s"]
        if mode == .pageSampling {
            upper += [""]
            lower += ["± MiB/s"]
        }
        upper += ["time to", "vCPUs in", "page"]
        lower += [mode == .pageSampling ? "sample" : "harvest", "kernel", "faults/s"]
        return [line(upper), line(lower, "where")]
    }

    func lines(_ measured: DirtyRateSession.Measured) -> [String] {
        let interval = measured.interval
        let cost = measured.cost
        var cells = [(interval.end / .seconds(1)).decimal(exactPlaces: timePlaces)] + rate(interval.pages, interval)
        cells.append(DurationText.rounded(interval.measuringTime))
        cells.append(cost.systemShare.map(Self.percent) ?? "–")
        cells.append(cost.perSecond(cost.usage.pageFaults).map(Self.count) ?? "–")
        var lines = [line(cells, "all")]
        if regions.count > 1 {
            for (region, pages) in zip(regions, interval.regions) {
                lines.append(line([""] + rate(pages, interval), region.name, width: cells.count))
            }
        }
        for (index, pages) in (interval.vcpus ?? []).enumerated() {
            lines.append(
                line([""] + rate(DirtyPageEstimate(counted: pages), interval), "vCPU \(index)", width: cells.count))
        }
        return lines
    }

    /// Enough to tell one interval from the next.
    private var timePlaces: Int {
        interval < .milliseconds(10) ? 3 : interval < .milliseconds(100) ? 2 : 1
    }

    private func rate(_ pages: DirtyPageEstimate, _ interval: DirtyRateInterval) -> [String] {
        let perSecond = interval.perSecond(pages.pageCount)
        let cells = [Self.count(perSecond), Self.mebibytes(perSecond)]
        return mode == .pageSampling ? cells + [Self.mebibytes(interval.perSecond(pages.standardError))] : cells
    }

    static func count(_ number: Double) -> String {
        UInt64(exactly: number.rounded())?.grouped ?? "–"
    }

    /// Of pages of 4 KiB.
    static func mebibytes(_ pages: Double) -> String {
        (pages * 4096 / mebibyte).decimal(exactPlaces: 1)
    }

    static func percent(_ share: Double) -> String {
        (share * 100).decimal(exactPlaces: 1) + " %"
    }

    /// - Parameter width: how many columns there are before the last, where some are empty.
    private func line(_ cells: [String], _ last: String = "", width: Int = 0) -> String {
        let padded = cells + Array(repeating: "", count: max(width - cells.count, 0))
        var line = ""
        for (index, cell) in padded.enumerated() {
            let columns = index == 0 ? 7 : 10
            line += String(repeating: " ", count: max(columns - cell.count, index == 0 ? 0 : 1)) + cell
        }
        if !last.isEmpty { line += "  " + last }
        while line.last == " " { line.removeLast() }
        return line
    }
}
