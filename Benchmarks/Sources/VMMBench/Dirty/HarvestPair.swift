import VMDirtyTracking
import VMMachine

/// A machine of ours whose guest's writes are harvested by a method, in turn with the baseline.
struct HarvestPair {
    let method: DirtyTrackingMethod
    let ours: WriterMachine
    let baseline: any HarvestBaseline
    /// The baseline's own machine, where it has one.
    private let other: WriterBaseline?
    private let cpus: SplitCPUs

    init(_ method: DirtyTrackingMethod, image: [UInt8]) throws {
        self.method = method
        if method == .ring {
            // Who takes pages out of a ring has to know where the last one was.
            let pair = try WriterPair(method, image: image)
            (ours, baseline, other, cpus) = (pair.ours, pair.baseline, pair.baseline, pair.cpus)
        } else {
            let cpus = SplitCPUs()
            let machine = try cpus.startVCPUs { try WriterMachine(method.configuration, image: image) }
            (ours, other, self.cpus) = (machine, nil, cpus)
            baseline = try LogBaseline(machine, method)
        }
    }

    func setPages(_ pages: [UInt32]) {
        ours.writer.setPages(pages)
        other?.writer.setPages(pages)
    }

    func start() throws {
        try ours.tracker.start(method)
        other?.start(method)
    }

    func stop() throws {
        try ours.tracker.stop()
        other?.stop()
    }
}
