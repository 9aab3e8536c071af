import BenchmarkSupport
import Glibc
import VMDirtyTracking

/// The three methods under all loads: what they take from the guest, and what a harvest takes.
final class MethodsComparison {
    /// Runs of the guest of each kind, which take turns.
    private static let rounds = 3
    /// How long a run lasts, in milliseconds: at least one harvest.
    private static let shortest: UInt64 = 500

    private let bitmaps: WriterMachine
    private let rings: WriterMachine

    /// - Parameter image: of the guest `writer`.
    init(image: [UInt8]) throws {
        bitmaps = try WriterMachine(.auto, image: image)
        rings = try WriterMachine(.ring, image: image)
    }

    /// What each method costs.
    func measure(_ load: Load) throws -> [MethodFigures] {
        let pages = Writer.randomPages(share: load.workingSet / 100)
        for machine in [bitmaps, rings] { machine.writer.setPages(pages) }
        var untracked: [ObjectIdentifier: [Run]] = [:]
        var tracked: [DirtyTrackingMethod: [Run]] = [:]
        for _ in 0..<Self.rounds {
            for machine in [bitmaps, rings] {
                // The end of tracking leaves a fault to come for each page that is protected.
                try machine.pass()
                untracked[ObjectIdentifier(machine), default: []].append(try run(machine, nil, load))
                for method in machine.tracker.methods {
                    tracked[method, default: []].append(try run(machine, method, load))
                }
            }
        }
        return DirtyTrackingMethod.allCases.compactMap { method in
            let machine = method == .ring ? rings : bitmaps
            guard let runs = tracked[method], let others = untracked[ObjectIdentifier(machine)] else { return nil }
            return MethodFigures(
                method: method, tracked: median(runs.map(\.pagesPerSecond)),
                untracked: median(others.map(\.pagesPerSecond)), harvestTime: median(runs.flatMap(\.harvestTimes)),
                pageCount: median(runs.flatMap(\.pageCounts)),
                fullRings: runs.map(\.fullRings).reduce(0, +) / Double(runs.count))
        }
    }

    /// One run of the guest.
    private struct Run {
        var pagesPerSecond = 0.0
        var fullRings = 0.0
        /// In milliseconds.
        var harvestTimes: [Double] = []
        var pageCounts: [Double] = []
    }

    private func run(_ machine: WriterMachine, _ method: DirtyTrackingMethod?, _ load: Load) throws -> Run {
        var run = Run()
        try machine.whileWriting(rate: load.bytesPerSecond) {
            if let method { try machine.tracker.start(method) }
            // What the guest may catch up on after having been held up is over then, and a harvest has come before each interval.
            usleep(20_000)
            if method != nil { try machine.harvest() }
            var entries = machine.tracker.dirtyPageCounts?.first
            let (firstCount, started) = (machine.writer.progress, monotonicNanoseconds())
            let count = max(1, Self.shortest / load.interval)
            for index in 1...count {
                sleep(until: started + index * load.interval * 1_000_000)
                guard method != nil else { continue }
                run.pageCounts.append(Double(try machine.harvest()))
                run.harvestTimes.append(machine.harvestTime / .milliseconds(1))
                // A harvest leaves the ring empty.
                if let before = entries, let after = machine.tracker.dirtyPageCounts?.first {
                    run.fullRings += Double((after - before) / WriterMachine.entriesOfFullRing)
                    entries = after
                }
            }
            let seconds = Double(monotonicNanoseconds() - started) / 1e9
            run.pagesPerSecond = Double(machine.writer.progress - firstCount) / seconds
            run.fullRings /= seconds
        }
        if method != nil { try machine.tracker.stop() }
        return run
    }

    private func sleep(until time: UInt64) {
        var time = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
