import BenchmarkSupport

extension Case {
    /// From opening the host's KVM to the guest's first port write.
    static let createToFirstExit = Case(name: "create-to-first-exit") { _ in
        try [true, false].map { irqchip in
            let medians = try interleavedMedians(
                pairs: 301,
                ours: {
                    microseconds(
                        try Run.ours(BenchmarkGuest.firstExit, marks: 1, exits: false, irqchip: irqchip))
                },
                baseline: {
                    microseconds(
                        try Run.baseline(BenchmarkGuest.firstExit, marks: 1, exits: false, irqchip: irqchip))
                })
            return Measurement(
                name: "create-to-first-exit" + (irqchip ? "" : "-no-irqchip"), unit: "us", ours: medians.ours,
                baseline: medians.baseline)
        }
    }

    private static func microseconds(_ run: Run) -> Double {
        Double(run.marks[0].nanoseconds - run.started) / 1000
    }
}
