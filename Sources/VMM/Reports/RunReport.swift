import VMDevices
import VMMachine
import VMRegions

/// What `vmm run --report FILE` writes: how the run went, as JSON.
struct RunReport: Encodable {
    struct Memory: Encodable {
        /// The guest's RAM, and what the program itself holds of the host's at the end.
        let guestBytes: UInt64
        let residentBytes: UInt64?
    }

    struct Time: Encodable {
        let setupSeconds: Double
        let runSeconds: Double
    }

    struct Crash: Encodable {
        let vcpu: Int
        let summary: String
        let report: String
    }

    struct Unclaimed: Encodable {
        let address: String
        let reads: UInt64
        let writes: UInt64

        init(_ access: UnclaimedAccess) {
            address = "0x" + String(access.location, radix: 16)
            reads = access.reads
            writes = access.writes
        }
    }

    let guest: String
    let format: String
    let cpus: Int
    /// `halted`, `powered-off`, `reset`, `debug-exit`, `crashed`, `timed-out`, `stopped`, `handed-over` or `failed`.
    let outcome: String
    /// What the guest wrote to the debug exit port.
    let debugExitValue: UInt32?
    let exitStatus: Int32
    let crash: Crash?
    let exits: [String: UInt64]
    let time: Time
    let memory: Memory
    let postCode: UInt8
    let unclaimedPorts: [Unclaimed]
    let unclaimedPages: [Unclaimed]
    /// Only with `--inspect-on-exit`.
    let inspection: RegionInspection?

    init(_ machine: Machine, _ result: RunResult, _ status: ExitStatus, _ inspection: RegionInspection?) {
        guest = machine.configuration.guest
        format = machine.format.rawValue
        cpus = machine.configuration.cpus
        exitStatus = status.rawValue
        exits = Dictionary(uniqueKeysWithValues: result.exits)
        time = Time(setupSeconds: result.setupTime.inSeconds, runSeconds: result.runTime.inSeconds)
        memory = Memory(guestBytes: machine.memory.regionMap.byteCount, residentBytes: ProcessMemory.residentBytes)
        postCode = machine.postCode
        unclaimedPorts = result.unclaimedPorts.map(Unclaimed.init)
        unclaimedPages = result.unclaimedPages.map(Unclaimed.init)
        self.inspection = inspection
        var value: UInt32?
        var crash: Crash?
        switch result.outcome {
        case .halted: outcome = "halted"
        case .poweredOff: outcome = "powered-off"
        case .reset: outcome = "reset"
        case .debugExit(let written): (outcome, value) = ("debug-exit", written)
        case .crashed(let report):
            outcome = "crashed"
            crash = Crash(vcpu: report.vcpu, summary: report.summary, report: "\(report)")
        case .timedOut: outcome = "timed-out"
        case .stopped: outcome = "stopped"
        case .handedOver: outcome = "handed-over"
        case .failed: outcome = "failed"
        }
        debugExitValue = value
        self.crash = crash
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
