import BenchmarkSupport
import VMDirtyTracking

extension Case {
    /// What a guest takes to write to a page of 1 GiB, one after another, where it could be tracked and is not, and where it
    /// was; the baseline's never is.
    static let dirtyOff = Case(name: "dirty-off") { inputs in
        let machines = try WriterPair(.manual, image: try bytes(ofFile: inputs.guest("writer")))
        let (ours, baseline) = (machines.ours, machines.baseline)
        let measure = { (name: String) in
            let medians = try interleavedMedians(
                pairs: 41,
                ours: { try ours.whileWriting { ours.writer.nanosecondsPerPage(over: 30_000) } },
                baseline: { try baseline.whileWriting { baseline.writer.nanosecondsPerPage(over: 30_000) } })
            return Measurement(name: name, unit: "ns", ours: medians.ours, baseline: medians.baseline)
        }
        let before = try measure("dirty-off")
        for method in [DirtyTrackingMethod.log, .manual] {
            try ours.tracker.start(method)
            try ours.pass()
            try ours.harvest()
            try ours.tracker.stop()
        }
        try ours.pass()
        return [before, try measure("dirty-off-after")]
    }
}
