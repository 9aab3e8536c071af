import VMMigration

/// The numbers of a page.
extension MigrationPage {
    func drawHeadline(_ markup: inout Markup) {
        markup.element("dl") { markup in
            for item in headline {
                markup.element("div") { markup in
                    markup.element("dt", text: item.name)
                    markup.element("dd", text: item.value)
                    for note in item.notes { markup.element("dd", ["class": "note"], text: note) }
                }
            }
        }
    }

    private struct Item {
        let name: String
        let value: String
        let notes: [String]
    }

    private var headline: [Item] {
        let (progress, parameters) = (recording.progress, recording.parameters)
        let limit = parameters.maxBandwidth.map { "\(ByteText.rate(Double($0))) allowed" }
        return [
            Item(
                name: "Downtime", value: DurationText.rounded(recording.downtime),
                notes: [
                    "\(DurationText.rounded(parameters.downtimeLimit)) allowed",
                    "\(DurationText.rounded(recording.comparison)) more to compare",
                ]),
            Item(
                name: "Total time", value: DurationText.rounded(progress.totalTime),
                notes: ["\(DurationText.rounded(progress.setupTime)) to set up"]),
            Item(
                name: "Data sent", value: ByteText.rounded(progress.transferred),
                notes: [progress.normal.counted("page"), "\(progress.duplicate.grouped) more were zero"]),
            Item(
                name: "Rounds", value: "\(progress.rounds.count)",
                notes: ["\(ByteText.rounded(progress.total)) of memory"]),
            Item(
                name: "Bandwidth", value: ByteText.rate(recording.meanBandwidth), notes: [limit ?? "no limit"]),
        ]
    }

    func drawProofs(_ markup: inout Markup) {
        markup.element("ul", ["class": "proofs"]) { markup in
            for proof in MigrationProof.all(recording) {
                markup.element("li", ["class": proof.holds ? "holds" : "fails"]) { markup in
                    markup.element("strong", text: proof.claim)
                    markup.element("span", text: proof.finding)
                }
            }
        }
        let checks = recording.checks
        markup.element("div", ["class": "words"]) { markup in
            for (place, lines) in [("… at the source", checks.before), ("then at the destination …", checks.after)] {
                markup.element("div") { markup in
                    markup.element("p", text: place)
                    markup.element("div", ["class": "lines"]) { markup in
                        for line in lines.isEmpty ? ["nothing"] : lines { markup.element("code", text: line) }
                    }
                }
            }
        }
    }

    func drawRounds(_ markup: inout Markup) {
        let heads = ["Round", "Pages", "Sent", "Time", "Bandwidth", "Dirtied", "Expected downtime", "Slowed down"]
        markup.element("details") { markup in
            markup.element("summary", text: "All rounds in numbers")
            markup.element("div", ["class": "wide"]) { markup in
                drawTable(&markup, "numbers", heads, recording.progress.rounds.map(RoundTable.cells))
            }
        }
    }

    func drawStages(_ markup: inout Markup) {
        let total = recording.progress.downtime ?? .zero
        markup.element("div", ["class": "wide"]) { markup in
            markup.element("table", ["class": "stages"]) { markup in
                drawHeads(&markup, ["Stage", "Time", "Share", "What happens"])
                for stage in recording.progress.downtimeStages {
                    let share = total > .zero ? stage.duration / total * 100 : 0
                    markup.element("tr") { markup in
                        markup.element("th", ["scope": "row"], text: stage.name.rawValue)
                        markup.element("td", ["class": "end"], text: DurationText.rounded(stage.duration))
                        markup.element(
                            "td", ["class": "end"], text: share < 0.05 ? "<0.1 %" : "\(share.decimal(exactPlaces: 1)) %"
                        )
                        markup.element("td", text: stage.name.explanation)
                    }
                }
            }
        }
    }

    func drawParameters(_ markup: inout Markup) {
        let (guest, parameters) = (recording.guest, recording.parameters)
        let throttle =
            "from \(parameters.cpuThrottleInitial) % in steps of \(parameters.cpuThrottleIncrement) to "
            + "\(parameters.maxCPUThrottle) %"
        drawTable(
            &markup, "", ["Parameter", ""],
            [
                ["working set", "\(guest.set), \(guest.pattern.rawValue)"], ["rate", "\(guest.rate)"],
                ["memory", "\(guest.memory)"], ["CPUs", "\(guest.cpus)"],
                ["dirty tracking", recording.method?.displayName ?? "–"],
                ["downtime limit", DurationText.rounded(parameters.downtimeLimit)],
                ["bandwidth limit", parameters.maxBandwidth.map { ByteText.rate(Double($0)) } ?? "none"],
                ["auto-converge", parameters.autoConverge ? throttle : "off"],
                ["channels", "\(parameters.channels)"], ["bytes move by", parameters.backend.description],
            ])
    }

    func drawHost(_ markup: inout Markup) {
        let host = recording.host
        drawTable(
            &markup, "", ["Host", ""],
            [
                ["processor", host.processor], ["processors", "\(host.processorCount), for both sides"],
                ["kernel", host.kernel],
            ])
    }

    private func drawTable(_ markup: inout Markup, _ kind: String, _ heads: [String], _ rows: [[String]]) {
        markup.element("table", ["class": kind]) { markup in
            drawHeads(&markup, heads)
            for row in rows {
                markup.element("tr") { markup in
                    for (index, cell) in row.enumerated() {
                        index == 0
                            ? markup.element("th", ["scope": "row"], text: cell) : markup.element("td", text: cell)
                    }
                }
            }
        }
    }

    private func drawHeads(_ markup: inout Markup, _ heads: [String]) {
        markup.element("tr") { markup in
            for head in heads { markup.element("th", ["scope": "col"], text: head) }
        }
    }
}

extension DowntimeStage.Name {
    /// For readers of a report.
    var explanation: String {
        switch self {
        case .stopProcessors: "the vCPUs leave the guest, and stay out"
        case .harvest: "what was written since the last round is found"
        case .memory: "those pages are sent, and confirmed"
        case .saveState: "vCPUs, interrupt controllers, clock and devices are read"
        case .compareMemory: "each side digests all memory, one after the other; only for the proof"
        case .sendState: "the state, and the digests of what was sent"
        case .restore: "the destination has the state, and says so"
        case .handOver: "the source gives the guest away; it runs at the destination"
        }
    }
}

extension IOBackend {
    /// For readers of a report.
    var description: String {
        switch self {
        case .auto: Self.availableDescription
        case .ring: "io_uring"
        case .plain: "plain system calls"
        }
    }
}
