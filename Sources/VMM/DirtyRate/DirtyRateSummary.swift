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
        let note = "MiB/s, of \(totals.intervalCount.counted("interval")) in \(DurationText.rounded(totals.duration))"
        table.append(["mean", perSecond(totals.pages, "pages/s"), mebibytes(totals.pages), note + error(totals.pages)])
        table.append([
            "peak", DirtyRateLines.count(totals.peakPagesPerSecond) + " pages/s",
            DirtyRateLines.mebibytes(totals.peakPagesPerSecond), "MiB/s, in one interval",
        ])
        for (region, pages) in zip(regions, totals.regions) {
            let places = region.ranges.map { "\($0)" }.joined(separator: " ")
            table.append([
                region.name, perSecond(pages, "pages/s"), mebibytes(pages), "MiB/s, mean at \(places)" + error(pages),
            ])
        }
        for (index, count) in (totals.vcpus ?? []).enumerated() {
            let pages = DirtyPageEstimate(counted: count)
            table.append(["vCPU \(index)", perSecond(pages, "pages/s"), mebibytes(pages), "MiB/s, mean by its ring"])
        }
        if let workingSet = totals.workingSet {
            let all = regions.reduce(0) { $0 + $1.pageCount }
            let share = all > 0 ? DirtyRateLines.percent(Double(workingSet) / Double(all)) : "–"
            table.append([
                "working set", workingSet.grouped + " pages",
                DirtyRateLines.mebibytes(Double(workingSet)), "MiB, distinct pages, \(share) of memory",
            ])
        }
        return table.lines
    }

    private func perSecond(_ pages: DirtyPageEstimate, _ unit: String) -> String {
        DirtyRateLines.count(totals.perSecond(pages.pageCount)) + " " + unit
    }

    private func mebibytes(_ pages: DirtyPageEstimate) -> String {
        DirtyRateLines.mebibytes(totals.perSecond(pages.pageCount))
    }

    private func error(_ pages: DirtyPageEstimate) -> String {
        guard mode == .pageSampling else { return "" }
        return " (± \(DirtyRateLines.mebibytes(totals.perSecond(pages.standardError))))"
    }

    // MARK: Cost

    private var costs: [String] {
        guard let cost else { return [] }
        var table = TextTable(rightAligned: [1, 2])
        let measured = mode == .pageSampling ? "sampled" : "tracked"
        table.append(["cost", baseline == nil ? "" : "before", measured])
        func row(_ name: String, _ value: (GuestCost) -> String?) {
            guard let now = value(cost) else { return }
            table.append([name, baseline.flatMap(value) ?? "", now])
        }
        row("vCPU time in the guest (user)") { $0.share($0.usage.userTime).map(DirtyRateLines.percent) }
        row("vCPU time in the kernel (system)") { $0.share($0.usage.systemTime).map(DirtyRateLines.percent) }
        row("vCPUs waiting for a host CPU") { $0.share($0.usage.waitingTime).map(DirtyRateLines.percent) }
        row("page faults of the guest, a second") { $0.perSecond($0.usage.pageFaults).map(DirtyRateLines.count) }
        row("exits from the guest, a second") { $0.perSecond($0.usage.exits).map(DirtyRateLines.count) }
        row("full rings, a second") { $0.perSecond($0.usage.fullRings).map(DirtyRateLines.count) }
        row("vCPU time emptying full rings") { $0.share($0.usage.fullRingTime).map(DirtyRateLines.percent) }
        row("vCPUs paused") { $0.duration > .zero ? DirtyRateLines.percent($0.pausedTime / $0.duration) : nil }
        return table.lines + [measuring]
    }

    private var measuring: String {
        let count = max(Double(totals.intervalCount), 1)
        let each = DurationText.rounded(totals.measuringTime / count)
        guard mode != .pageSampling else { return "reading samples took \(each) an interval" }
        let kernel = DurationText.rounded(totals.kernelTime / count)
        return "harvesting took \(each) an interval, \(kernel) of that in the kernel"
    }
}
