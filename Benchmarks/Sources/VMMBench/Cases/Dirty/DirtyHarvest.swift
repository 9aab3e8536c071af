import BenchmarkSupport
import VMDirtyTracking

extension Case {
    /// What it takes to find out which pages of 1 GiB a guest has written, which stands still meanwhile: ours down to the
    /// runs of pages, the baseline by the kernel's calls alone.
    static let dirtyHarvest = Case(name: "dirty-harvest") { inputs in
        let image = try bytes(ofFile: inputs.guest("writer"))
        return try DirtyTrackingMethod.allCases.flatMap { method in
            let machines = try WriterPair(method, image: image)
            return try [0, 1, 100].map { try measure(machines, percent: $0) }
        }
    }

    private static func measure(_ machines: WriterPair, percent: Int) throws -> Measurement {
        let pages = percent == 100 ? Array(Writer.allPages) : Writer.randomPages(share: Double(percent) / 100)
        let (ours, baseline) = (machines.ours, machines.baseline)
        // Of no pages there is no pass: not even the guest's own words are written then.
        let isWritten = percent > 0
        // A ring is emptied over and over while its guest writes to all pages: the whole pass counts.
        let includesPass = machines.method == .ring && percent == 100
        let expected = isWritten ? UInt64(pages.count)...(UInt64(pages.count) + Writer.ownPageCount) : 0...0

        machines.setPages(pages)
        try ours.tracker.start(machines.method)
        baseline.start(machines.method)
        try ours.harvest()
        baseline.harvest()
        _ = baseline.takeCount()
        let medians = try interleavedMedians(
            pairs: percent == 0 ? 501 : percent == 1 ? 101 : 7,
            ours: {
                if isWritten, !includesPass { try ours.pass() }
                var count: UInt64 = 0
                let time = try microseconds {
                    if includesPass { try ours.pass() }
                    count = try ours.harvest()
                }
                try require(count, expected)
                return time
            },
            baseline: {
                if isWritten, !includesPass { baseline.pass() }
                let time = microseconds {
                    if includesPass { baseline.pass() }
                    baseline.harvest()
                }
                try require(baseline.takeCount(), expected)
                return time
            })
        try ours.tracker.stop()
        baseline.stop()
        return Measurement(
            name: "dirty-harvest-\(machines.method.rawValue)-\(percent)pct", unit: "us", ours: medians.ours,
            baseline: medians.baseline)
    }

    private static func require(_ count: UInt64, _ expected: ClosedRange<UInt64>) throws {
        guard expected.contains(count) else {
            throw BenchmarkError("a harvest found \(count) pages instead of \(expected.lowerBound)")
        }
    }
}
