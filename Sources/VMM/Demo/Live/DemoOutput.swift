import VMMigration

/// What a demonstration says on standard output, beside the rounds.
struct DemoOutput {
    func begin(_ demo: MigrationDemo) throws(Failure) {
        let guest = demo.guest
        let machine = "\(ByteText.rounded(guest.memory.bytes)), \(UInt64(guest.cpus).counted("CPU"))"
        try CommandOutput.print(
            "\(guest) (\(machine)), and moves to another process after \(DurationText.rounded(demo.timeBefore)).\n")
    }

    /// What the guest stood still for, item by item.
    func showDowntime(_ recording: MigrationRecording) throws(Failure) {
        let progress = recording.progress
        let total = progress.downtime ?? .zero
        var table = TextTable(rightAligned: [1])
        for stage in progress.downtimeStages {
            let share = total > .zero ? stage.duration / total : 0
            table.append([
                "  " + stage.name.rawValue, DurationText.rounded(stage.duration),
                String(repeating: "#", count: Int((share * 40).rounded())),
            ])
        }
        var lines = [
            "",
            "The guest stood still for \(DurationText.rounded(recording.downtime)), and for "
                + "\(DurationText.rounded(recording.comparison)) more to compare its memory:",
        ]
        lines += table.lines
        lines += [
            "",
            "\(ByteText.rounded(progress.transferred)) in \(DurationText.rounded(progress.totalTime)), "
                + "\(UInt64(progress.rounds.count).counted("round")), \(ByteText.rate(recording.meanBandwidth)).",
        ]
        try CommandOutput.print(lines.joined(separator: "\n"))
    }

    /// The guest's own words, and what is proved.
    func showChecks(_ recording: MigrationRecording) throws(Failure) {
        let checks = recording.checks
        func words(_ lines: [String]) -> String { lines.isEmpty ? "nothing yet" : lines.joined(separator: " | ") }
        var table = TextTable()
        table.append(["guest at the source", "… " + words(checks.before)])
        table.append(["  at the destination", words(checks.after) + " …"])
        var lines = [""] + table.lines + [""]
        for proof in MigrationProof.all(recording) {
            lines.append("\(proof.holds ? "proved" : "FAILED")  \(proof.claim): \(proof.finding).")
        }
        try CommandOutput.print(lines.map(\.escapingControlCharacters).joined(separator: "\n"))
    }
}
