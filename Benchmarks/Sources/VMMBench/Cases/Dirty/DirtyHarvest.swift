import BenchmarkSupport
import Glibc
import VMDirtyTracking

extension Case {
    /// What it takes to find out which pages of 1 GiB a guest has written, which stands still meanwhile, and then to go through
    /// the runs of those pages. The baseline makes the kernel's calls alone, and goes through the words that they fill in: of the
    /// same machine, in turn, where the method has a log, and of one of its own where there are rings.
    static let dirtyHarvest = Case(name: "dirty-harvest") { inputs in
        let image = try bytes(ofFile: inputs.guest("writer"))
        return try DirtyTrackingMethod.allCases.flatMap { method in
            let machines = try HarvestPair(method, image: image)
            return try [0, 1, 100].flatMap { try measure(machines, percent: $0) }
        }
    }

    /// What one of the two took, in microseconds.
    private struct Sample {
        var harvest = 0.0
        var walk = 0.0
    }

    private static func measure(_ machines: HarvestPair, percent: Int) throws -> [Measurement] {
        let pages = percent == 100 ? Array(Writer.allPages) : Writer.randomPages(share: Double(percent) / 100)
        let (ours, baseline) = (machines.ours, machines.baseline)
        // Of no pages there is no pass: not even the guest's own words are written then.
        let isWritten = percent > 0
        // A ring is emptied over and over while its guest writes to all pages: the whole pass counts.
        let includesPass = machines.method == .ring && percent == 100
        let expected = isWritten ? UInt64(pages.count)...(UInt64(pages.count) + Writer.ownPageCount) : 0...0

        machines.setPages(pages)
        try machines.start()
        try ours.harvest()
        baseline.harvest()
        _ = baseline.takeCount()
        let samples = try interleaved(
            pairs: percent == 0 ? 501 : percent == 1 ? 301 : includesPass ? 7 : 15,
            ours: {
                if isWritten, !includesPass {
                    try ours.pass()
                    settle()
                }
                var sample = Sample()
                var found: (runs: UInt64, pages: UInt64) = (0, 0)
                sample.harvest = try microseconds {
                    if includesPass { try ours.pass() }
                    try ours.harvest()
                }
                sample.walk = microseconds { found = ours.walk() }
                try require(found.pages, expected)
                return sample
            },
            baseline: {
                if isWritten, !includesPass {
                    try baseline.pass()
                    settle()
                }
                var sample = Sample()
                var found: (runs: UInt64, pages: UInt64) = (0, 0)
                sample.harvest = try microseconds {
                    if includesPass { try baseline.pass() }
                    baseline.harvest()
                }
                sample.walk = microseconds { found = baseline.walk() }
                try require(found.pages, expected)
                try require(baseline.takeCount(), expected)
                return sample
            })
        try machines.stop()
        return [("harvest", \Sample.harvest), ("walk", \Sample.walk)].map { part, time in
            Measurement(
                name: "dirty-\(part)-\(machines.method.rawValue)-\(percent)pct", unit: "us",
                ours: median(samples.ours.map { $0[keyPath: time] }),
                baseline: median(samples.baseline.map { $0[keyPath: time] }))
        }
    }

    /// Lets the CPUs lie idle for a while. Ours asks, less and less often, whether its guest is done, and so has lain idle for
    /// longer than the baseline, which is told; and nearly all of the kernel's time for pages that are far apart goes into
    /// what is not in the caches any more.
    private static func settle() {
        usleep(1000)
    }

    private static func require(_ count: UInt64, _ expected: ClosedRange<UInt64>) throws {
        guard expected.contains(count) else {
            throw BenchmarkError("a harvest found \(count) pages instead of \(expected.lowerBound)")
        }
    }
}
