import VMDirtyTracking
import VMMachine
import VMMigration

@testable import VMM

extension MigrationRecording {
    /// A migration of so many rounds that went well; the last one while the guest stood still, but for that of a single one.
    static func sample(rounds count: Int, throttled: Bool = false) throws -> MigrationRecording {
        let guest = try DemoGuest(set: ByteSize("16M")!, rate: .limited(ByteSize("100M")!), pattern: .random)
        var recording = MigrationRecording(
            guest: guest, parameters: MigrationParameters(maxBandwidth: 100 << 20, autoConverge: throttled),
            host: HostDescription(kernel: "6.1.0", processor: "<processor> & \"co\"", processorCount: 2),
            method: .manual,
            timeBefore: .seconds(2), timeAfter: .seconds(3))
        var progress = MigrationProgress()
        progress.status = .completed
        progress.total = guest.memory.bytes
        progress.totalTime = .milliseconds(300 * count + 70)
        progress.rounds = (0..<count).map { round($0, of: count, throttled) }
        progress.transferred = progress.rounds.reduce(0) { $0 + $1.sent.bytes }
        progress.downtimeStages = DowntimeStage.Name.allCases.enumerated().map { index, name in
            DowntimeStage(name: name, duration: .microseconds(name == .compareMemory ? 60_000 : 1000 * index * index))
        }
        progress.downtime = progress.downtimeStages.reduce(.zero) { $0 + $1.duration }
        recording.progress = progress
        recording.heatmap = try VMMTests.recording(
            of: [0..<20480], intervals: max(1, count - 1), columnLimit: RoundRecorder.columnLimit)
        recording.checks.add("pass 1 ok\npass 2 ok\npa".utf8, at: .source)
        recording.checks.add("ss 3 ok\npass 4 ok\ndirty: 4 passes ok\n".utf8, at: .destination)
        recording.ending = .exited(0)
        return recording
    }

    private static func round(_ number: Int, of count: Int, _ throttled: Bool) -> MigrationRound {
        var round = MigrationRound()
        round.number = number
        round.isLast = number > 0 && number == count - 1
        round.dirtyPages = number == 0 ? 20480 : UInt64(4096 / number)
        round.sent = PageCounts(
            data: round.dirtyPages / 2, zero: round.dirtyPages - round.dirtyPages / 2, bytes: round.dirtyPages * 2064)
        round.duration = .milliseconds(300)
        round.throttlePercent = throttled && number > 3 ? min(99, number * 5) : 0
        if !round.isLast {
            round.pendingPages = UInt64(4096 / (number + 1))
            round.expectedDowntime = .milliseconds(900 / (number + 1))
        }
        return round
    }
}
