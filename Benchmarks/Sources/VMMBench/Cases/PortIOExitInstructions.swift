import BenchmarkSupport

extension Case {
    /// The user-mode instructions of one exit for a port write, by the difference between two runs.
    static let portIOExitInstructions = Case(name: "port-io-exit-instructions") { inputs in
        guard let counter = InstructionCounter.available else {
            throw Skipped(reason: "needs a host whose instruction counters perf can read, or valgrind")
        }
        // Both long enough for the program to have settled, which costs it some instructions once.
        let counts: [UInt32] = [20_000, 70_000]
        let files = counts.map { "\(inputs.scratch)/port-writes-\($0).bin" }
        for (count, file) in zip(counts, files) { try write(BenchmarkGuest.portWrites(count), toFile: file) }
        let perExit = { (command: (String) -> [String]) in
            let totals = try files.map { try counter.count(command($0)) }
            return Double(totals[1] - totals[0]) / Double(counts[1] - counts[0])
        }
        // Without an irqchip, where nothing happens beside the exits.
        let ours = try perExit { [inputs.strippedVMM, "run", "--irqchip", "none", "--format", "flat64", $0] }
        let baseline = try perExit { [inputs.baseline, "--no-irqchip", $0] }
        return [
            Measurement(name: "port-io-exit-instructions", unit: "instructions", ours: ours, baseline: baseline)
        ]
    }
}
