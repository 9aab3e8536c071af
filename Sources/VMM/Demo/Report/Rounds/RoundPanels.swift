import VMMigration

/// The charts of a migration's rounds, one below another.
struct RoundPanels {
    private let progress: MigrationProgress
    private let parameters: MigrationParameters
    private let tooltips: [String]

    private var rounds: [MigrationRound] { progress.rounds }

    init(_ progress: MigrationProgress, _ parameters: MigrationParameters) {
        self.progress = progress
        self.parameters = parameters
        tooltips = progress.rounds.map(Self.tooltip)
    }

    /// All that there is to show.
    var all: [any PicturePart] {
        var parts: [any PicturePart] = [pages, time, rates, downtime]
        if rounds.contains(where: { $0.throttlePercent > 0 }) { parts.append(throttle) }
        return parts + [axis]
    }

    var pages: RoundPanel {
        RoundPanel(
            title: "Pages sent", unit: .pages, plotHeight: 150,
            series: [
                .bars(kind: "bar", name: "with their bytes", values: rounds.map { Double($0.sent.data) }),
                .bars(kind: "area", name: "as being zero", values: rounds.map { Double($0.sent.zero) }),
            ], tooltips: tooltips)
    }

    var time: RoundPanel {
        RoundPanel(
            title: "Time", unit: .seconds, plotHeight: 54,
            series: [.bars(kind: "bar", name: "", values: rounds.map { $0.duration / .seconds(1) })],
            tooltips: tooltips)
    }

    /// While the guest ran: afterwards there is no limit, and nothing is written.
    private var rates: RoundPanel {
        func values(_ rate: (MigrationRound) -> Double) -> [Double?] { rounds.map { $0.isLast ? nil : rate($0) } }
        var series: [RoundPanel.Series] = [
            .steps(kind: "", name: "sent", values: values(\.bandwidth)),
            .steps(
                kind: "dirty", name: "of pages written by the guest",
                values: values { $0.dirtyPagesRate * Double(progress.pageSize) }),
        ]
        if let bandwidth = parameters.maxBandwidth {
            let name = "limit, \(ByteText.rate(Double(bandwidth)))"
            series.append(.limit(name: name, value: Double(bandwidth)))
        }
        return RoundPanel(
            title: "Bytes a second", unit: .bytesPerSecond, plotHeight: 110, series: series, tooltips: tooltips)
    }

    /// What the downtime would have been after each round, and what it was.
    private var downtime: RoundPanel {
        RoundPanel(
            title: "Downtime", unit: .seconds, plotHeight: 90,
            series: [
                .steps(
                    kind: "", name: "expected after the round",
                    values: rounds.map { round in round.expectedDowntime.map { $0 / .seconds(1) } }),
                .bars(kind: "bar", name: "measured", values: rounds.map { $0.isLast ? seconds(measured) : nil }),
                .bars(
                    kind: "area", name: "comparing memory", values: rounds.map { $0.isLast ? seconds(comparing) : nil }),
                .limit(
                    name: "limit, \(DurationText.rounded(parameters.downtimeLimit))",
                    value: parameters.downtimeLimit / .seconds(1)),
            ], tooltips: tooltips)
    }

    private var measured: Duration? { progress.downtime.map { $0 - (comparing ?? .zero) } }
    private var comparing: Duration? { progress.downtimeStages.first { $0.name == .compareMemory }?.duration }

    private func seconds(_ duration: Duration?) -> Double? { duration.map { $0 / .seconds(1) } }

    private var throttle: RoundPanel {
        RoundPanel(
            title: "CPUs slowed down by", unit: .percent, plotHeight: 54,
            series: [.bars(kind: "bar", name: "", values: rounds.map { Double($0.throttlePercent) })],
            tooltips: tooltips)
    }

    var axis: RoundAxis { RoundAxis(rounds: rounds) }

    private static func tooltip(_ round: MigrationRound) -> String {
        var words =
            "Round \(round.number): \(round.sent.data.counted("page")) with their bytes, \(round.sent.zero.grouped) as zero; "
            + "\(ByteText.rounded(round.sent.bytes)) in \(DurationText.rounded(round.duration)), "
            + ByteText.rate(round.bandwidth)
        if round.isLast {
            words += "; the guest stood still"
        } else {
            words += "; \(round.pendingPages.counted("page")) written meanwhile"
        }
        if let expected = round.expectedDowntime { words += "; downtime about \(DurationText.rounded(expected))" }
        if round.throttlePercent > 0 { words += "; CPUs slowed down by \(round.throttlePercent) %" }
        return words
    }
}
