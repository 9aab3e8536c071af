import BenchmarkSupport

extension Case {
    /// How many heap allocations the vCPU's thread makes for each exit, over port and MMIO reads and writes.
    static let allocationsPerExit = Case(name: "allocations-per-exit") { _ in
        let rounds: UInt32 = 1000
        let guest = BenchmarkGuest.mixedAccesses(rounds: rounds)
        let perExit = { (run: Run) in
            Double(run.marks[1].allocations - run.marks[0].allocations)
                / Double(Int(rounds) * BenchmarkGuest.accessesPerRound)
        }
        let counted = Mark.now.allocations
        let ours = try Run.ours(guest, marks: 2, exits: true, irqchip: true)
        guard Mark.now.allocations > counted else { throw BenchmarkError("allocations are not counted") }
        return [
            Measurement(
                name: "allocations-per-exit", unit: "allocations",
                ours: perExit(ours),
                baseline: perExit(try Run.baseline(guest, marks: 2, exits: true, irqchip: true)))
        ]
    }
}
