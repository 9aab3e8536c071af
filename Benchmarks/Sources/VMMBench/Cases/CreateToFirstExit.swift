import BenchmarkSupport
import Glibc

extension Case {
    /// From opening the host's KVM to the guest's first port write.
    static let createToFirstExit = Case(name: "create-to-first-exit") { _ in
        try [true, false].map { irqchip in
            let medians = try interleavedMedians(
                pairs: 301,
                ours: {
                    settle()
                    return microseconds(
                        try Run.ours(BenchmarkGuest.firstExit, marks: 1, exits: false, irqchip: irqchip))
                },
                baseline: {
                    settle()
                    return microseconds(
                        try Run.baseline(BenchmarkGuest.firstExit, marks: 1, exits: false, irqchip: irqchip))
                })
            return Measurement(
                name: "create-to-first-exit" + (irqchip ? "" : "-no-irqchip"), unit: "us", ours: medians.ours,
                baseline: medians.baseline)
        }
    }

    /// The kernel goes on taking a VM down after the call that does it has returned, and what it does then holds up the
    /// next VM's first memory slot. Nobody makes hundreds of them back to back.
    private static func settle() {
        usleep(5000)
    }

    private static func microseconds(_ run: Run) -> Double {
        Double(run.marks[0].nanoseconds - run.started) / 1000
    }
}
