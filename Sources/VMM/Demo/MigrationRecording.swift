import VMDirtyTracking
import VMMachine
import VMMigration

/// All that a demonstration found out: what its report is made of. A plain value.
struct MigrationRecording {
    let guest: DemoGuest
    let parameters: MigrationParameters
    let host: HostDescription
    /// How written pages were found.
    let method: DirtyTrackingMethod?
    /// How long the guest ran before, and after.
    let timeBefore: Duration
    let timeAfter: Duration
    var progress = MigrationProgress()
    var heatmap: Heatmap?
    var checks = GuestChecks()
    /// How the destination's process ended; nil where it had to be ended.
    var ending: DestinationProcess.Ending?

    /// How long the guest stood still for what any migration has to do.
    var downtime: Duration { (progress.downtime ?? .zero) - comparison }
    /// And for the comparison of memory, which is for the proof.
    var comparison: Duration {
        progress.downtimeStages.first { $0.name == .compareMemory }?.duration ?? .zero
    }

    /// Of all rounds, in bytes a second.
    var meanBandwidth: Double {
        let time = progress.rounds.reduce(Duration.zero) { $0 + $1.duration }
        let bytes = progress.rounds.reduce(UInt64(0)) { $0 + $1.sent.bytes }
        return time > .zero ? Double(bytes) / (time / .seconds(1)) : 0
    }
}
