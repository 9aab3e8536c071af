import BenchmarkSupport

extension Case {
    /// The whole program: from before it is started until it is gone.
    static let runHello = Case(name: "run-hello") { inputs in
        let image = inputs.guest("hello")
        return try [
            measure("run-hello", ours: [inputs.vmm, "run", "hello"], baseline: [inputs.baseline, image]),
            measure(
                "run-hello-no-irqchip", ours: [inputs.vmm, "run", "--irqchip", "none", "hello"],
                baseline: [inputs.baseline, "--no-irqchip", image]),
        ]
    }

    private static func measure(_ name: String, ours: [String], baseline: [String]) throws -> Measurement {
        let medians = try interleavedMedians(
            pairs: 101, ours: { try milliseconds(ours) }, baseline: { try milliseconds(baseline) })
        return Measurement(name: name, unit: "ms", ours: medians.ours, baseline: medians.baseline)
    }

    private static func milliseconds(_ command: [String]) throws -> Double {
        let started = monotonicNanoseconds()
        let (output, status) = try Child(command).finish()
        let ended = monotonicNanoseconds()
        guard output == "hello, world\n", status == 0 else {
            throw BenchmarkError("\(command[0]) ended with status \(status) after printing: \(output)")
        }
        return Double(ended - started) / 1_000_000
    }
}
