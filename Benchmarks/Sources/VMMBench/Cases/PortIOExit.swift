import BenchmarkSupport

extension Case {
    /// The time of one exit for a port write: into the monitor, to a device, and back into the guest.
    static let portIOExit = Case(name: "port-io-exit") { _ in
        let count: UInt32 = 3000
        let guest = BenchmarkGuest.portWrites(count)
        let nanoseconds = { (run: Run) in
            Double(run.marks[1].nanoseconds - run.marks[0].nanoseconds) / Double(count + 1)
        }
        let medians = try interleavedMedians(
            pairs: 81,
            ours: { nanoseconds(try Run.ours(guest, marks: 2, exits: true, irqchip: true)) },
            baseline: { nanoseconds(try Run.baseline(guest, marks: 2, exits: true, irqchip: true)) })
        return [
            Measurement(name: "port-io-exit", unit: "ns", ours: medians.ours, baseline: medians.baseline)
        ]
    }
}
