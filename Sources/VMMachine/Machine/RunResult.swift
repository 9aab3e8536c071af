import VMDevices
import VMHost

/// How a run went.
public struct RunResult: Sendable {
    /// How it ended.
    public let outcome: Outcome
    /// How often each kind of exit came, over all vCPUs, by the names that `--report` uses.
    public let exits: [(kind: String, count: UInt64)]
    /// From the making of the machine to the start of its vCPUs.
    public let setupTime: Duration
    /// From the start of the vCPUs to the end of the run.
    public let runTime: Duration
    /// Accesses to ports where nothing is: the first 64 such ports.
    public let unclaimedPorts: [UnclaimedAccess]
    /// The same for addresses, by 4 KiB page.
    public let unclaimedPages: [UnclaimedAccess]
}

extension RunResult {
    init(_ machine: Machine, outcome: Outcome, ended: MonotonicTime) {
        let started = machine.control.started ?? ended
        self.outcome = outcome
        var totals: [UInt64] = Array(repeating: 0, count: ExitRecord.Kind.allCases.count)
        for processor in machine.processors {
            for (kind, count) in processor.trace.exitCounts { totals[Int(kind.rawValue)] += count }
        }
        exits = ExitRecord.Kind.allCases.map { ($0.name, totals[Int($0.rawValue)]) }.filter { $0.count > 0 }
        setupTime = started - machine.created
        runTime = ended - started
        unclaimedPorts = machine.devices.ports.unclaimed
        unclaimedPages = machine.devices.mmio.unclaimed
    }
}
