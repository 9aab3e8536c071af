import VMAddressSpace
import VMDirtyTracking

/// What all intervals came to, for people.
struct DirtyRateSummary: CustomStringConvertible {
    let mode: DirtyRateMode
    let regions: [DirtyRateRegion]
    let totals: DirtyRateTotals
    let baseline: GuestCost?
    let cost: GuestCost?

    var description: String {
        (rates + [""] + costs).joined(separator: "\n")
    }

    private var rates: [String] {
        var table = TextTable(rightAligned: [1, 2])
        let span = "\(totals.intervalCount.counted("interval")), \(DurationText.rounded(totals.duration))"
        table.append(["mean"] + rate(totals.pages) + ["of \(span)"])
        table.append(
            ["peak"] + cells(totals.peakPagesPerSecond, DirtyRateLines.mebibytes(totals.peakPagesPerSecond))
                + ["in one interval"])
        if let workingSet = totals.workingSet {
            let all = regions.reduce(0) { $0 + $1.pageCount }
            let share = all > 0 ? DirtyRateLines.percent(Double(workingSet) / Double(all)) : "–"
            table.append([
                "working set", workingSet.grouped + " pages", DirtyRateLines.mebibytes(Double(workingSet)) + " MiB",
                "distinct pages, \(share) of memory",
            ])
        }
        for (region, pages) in zip(regions, totals.regions) {
            table.append([region.name] + rate(pages) + [region.place])
        }
        for (index, count) in (totals.vcpus ?? []).enumerated() {
            table.append(["vCPU \(index)"] + rate(DirtyPageEstimate(counted: count)) + ["by its ring*"])
        }
        let note = "* a page counts again for each vCPU, and each time that a ring was emptied"
        return table.lines + (totals.vcpus == nil ? [] : [note])
    }

    private func rate(_ pages: DirtyPageEstimate) -> [String] {
        let bytes = DirtyRateLines.mebibytes(totals.perSecond(pages.pageCount))
        let error = DirtyRateLines.mebibytes(totals.perSecond(pages.standardError))
        return cells(totals.perSecond(pages.pageCount), mode == .pageSampling ? "\(bytes) ± \(error)" : bytes)
    }

    private func cells(_ pagesPerSecond: Double, _ mebibytes: String) -> [String] {
        [DirtyRateLines.count(pagesPerSecond) + " pages/s", mebibytes + " MiB/s"]
    }

    // MARK: Cost

    private var costs: [String] {
        guard let cost else { return [] }
        var table = TextTable(rightAligned: [1, 2])
        let isSampling = mode == .pageSampling
        table.append([
            "Of the vCPUs' time", baseline == nil ? "" : isSampling ? "before" : "untracked",
            isSampling ? "sampled" : "tracked",
        ])
        func row(_ name: String, _ value: (GuestCost) -> String?) {
            guard let now = value(cost) else { return }
            table.append(["  " + name, baseline.map { value($0) ?? "–" } ?? "", now])
        }
        row("in the guest (user)") { $0.userShare.map(DirtyRateLines.percent) }
        row("in the kernel (system)") { $0.systemShare.map(DirtyRateLines.percent) }
        row("waiting for a host CPU") { $0.share($0.usage.waitingTime).map(DirtyRateLines.percent) }
        row("emptying full rings") { $0.share($0.usage.fullRingTime).map(DirtyRateLines.percent) }
        row("paused") { $0.duration > .zero ? DirtyRateLines.percent($0.pausedTime / $0.duration) : nil }
        table.append(["A second"])
        row("page faults") { $0.perSecond($0.usage.pageFaults).map(DirtyRateLines.count) }
        row("exits from the guest") { $0.perSecond($0.usage.exits).map(DirtyRateLines.count) }
        row("full rings") { $0.perSecond($0.usage.fullRings).map(DirtyRateLines.count) }
        let isSplit = cost.userShare != nil
        return table.lines + (isSplit ? ["User and system time are told apart by clock ticks, which is rough."] : [])
            + [measuring]
    }

    private var measuring: String {
        let count = max(Double(totals.intervalCount), 1)
        let each = DurationText.rounded(totals.measuringTime / count)
        guard mode != .pageSampling else {
            return "Sampling took \(each) an interval. Writes of what was there go unseen."
        }
        let kernel = DurationText.rounded(totals.kernelTime / count)
        return "Harvesting took \(each) an interval, \(kernel) of that in the kernel."
    }
}

extension DirtyRateRegion {
    /// From the first byte to the last, and whether there are holes.
    fileprivate var place: String {
        guard let first = ranges.first, let last = ranges.last else { return "" }
        let holes = ranges.count - 1
        return "[\(first.start), \(last.last)]" + (holes > 0 ? ", \(UInt64(holes).counted("hole"))" : "")
    }
}
