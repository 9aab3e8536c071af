import VMMigration

/// Something that a migration has to have done, and whether it did.
struct MigrationProof: Equatable {
    let claim: String
    /// What was found.
    let finding: String
    let holds: Bool

    /// All that a recording proves, or fails to.
    static func all(_ recording: MigrationRecording) -> [MigrationProof] {
        [passes(recording.checks), words(recording.checks), digests(recording), end(recording)]
    }

    private static func passes(_ checks: GuestChecks) -> MigrationProof {
        let claim = "The guest’s checks go on without a gap"
        if let fault = checks.fault {
            return MigrationProof(claim: claim, finding: "it said “\(fault)”", holds: false)
        }
        let sides = [(checks.atSource, "source"), (checks.atDestination, "destination")]
        let parts = sides.map { passes, side in passes.map { "\(name($0)) at the \(side)" } ?? "none at the \(side)" }
        return MigrationProof(claim: claim, finding: parts.joined(separator: ", "), holds: checks.atDestination != nil)
    }

    /// "passes 1 to 4"
    private static func name(_ passes: GuestChecks.Passes) -> String {
        passes.first == passes.last ? "pass \(passes.first)" : "passes \(passes.first) to \(passes.last)"
    }

    private static func words(_ checks: GuestChecks) -> MigrationProof {
        let claim = "At its end the guest finds every word of its working set as it wrote it"
        guard let total = checks.total else {
            return MigrationProof(claim: claim, finding: "it did not say so", holds: false)
        }
        return MigrationProof(
            claim: claim, finding: "“dirty: \(total) passes ok”, after pass \(checks.passCount)",
            holds: total == checks.passCount && checks.fault == nil)
    }

    private static func digests(_ recording: MigrationRecording) -> MigrationProof {
        let progress = recording.progress
        let compared = progress.downtimeStages.first { $0.name == .compareMemory }
        let holds = progress.status == .completed && compared != nil
        let size = ByteText.rounded(progress.total)
        let time = compared.map { ", in \(DurationText.rounded($0.duration))" } ?? ""
        return MigrationProof(
            claim: "Both sides have the same memory when the guest changes hands",
            finding: holds ? "XXH3 digests of all \(size) agree\(time)" : progress.failure ?? "it was not compared",
            holds: holds)
    }

    private static func end(_ recording: MigrationRecording) -> MigrationProof {
        let finding =
            switch recording.ending {
            case .exited(let status): "the destination’s exit status is \(status)"
            case .killed(let signal): "the destination was ended by signal \(signal)"
            case nil: "the destination had to be ended"
            }
        return MigrationProof(
            claim: "The guest ends in order", finding: finding, holds: recording.ending == .exited(0))
    }
}
