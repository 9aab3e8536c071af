import BenchmarkSupport
import VMDirtyTracking

extension Case {
    /// Beginning to track a guest that runs, all of whose 1 GiB is mapped and may be written: every page is to count as
    /// written.
    static let dirtyStart = Case(name: "dirty-start-live") { inputs in
        let image = try bytes(ofFile: inputs.guest("writer"))
        return try DirtyTrackingMethod.allCases.map { method in
            let machines = try WriterPair(method, image: image)
            let (ours, baseline) = (machines.ours, machines.baseline)
            let few = Array(Writer.allPages.prefix(8))
            let medians = try interleavedMedians(
                pairs: method == .manual ? 41 : 5,
                ours: {
                    ours.writer.setPages(Writer.allPages)
                    try ours.pass()
                    ours.writer.setPages(few)
                    let time = try ours.whileWriting {
                        try microseconds { try ours.tracker.start(method, from: .dirty) }
                    }
                    try ours.tracker.stop()
                    return time
                },
                baseline: {
                    baseline.writer.setPages(Writer.allPages)
                    baseline.pass()
                    baseline.writer.setPages(few)
                    let time = try baseline.whileWriting { microseconds { baseline.start(method, from: .dirty) } }
                    baseline.stop()
                    return time
                })
            return Measurement(
                name: "dirty-start-live-1GiB-\(method.rawValue)", unit: "us", ours: medians.ours,
                baseline: medians.baseline)
        }
    }
}
