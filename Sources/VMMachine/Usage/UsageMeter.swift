import KVM
import VMHost

/// Reads what the vCPUs of a machine take of the host, without disturbing them.
///
/// Threads: any.
public final class UsageMeter: Sendable {
    private final class Source: Sendable {
        /// Nil where the host has none.
        let statistics: KVMStatistics?

        init(_ vcpu: borrowing VCPU) {
            statistics = try? vcpu.makeStatistics()
        }
    }

    private let machine: Machine
    private let sources: [Source]

    /// - Parameter machine: one that has not been started. It is kept for as long as the meter is.
    public init(_ machine: Machine) {
        self.machine = machine
        sources = machine.processors.map { Source($0.vcpu) }
    }

    /// What each vCPU has taken so far. The times are nil when its thread does not run any more.
    public var vcpus: [VCPUUsage] {
        let rings = machine.guest.shared.dirtyRings.fullRings
        return zip(machine.processors, sources).map { processor, source in
            var usage = VCPUUsage()
            // A thread that is still to start has taken nothing.
            let times = processor.threadTimes
            let isToStart = machine.control.started == nil
            usage.userTime = isToStart ? .zero : times?.user
            usage.systemTime = isToStart ? .zero : times?.system
            usage.waitingTime = isToStart ? .zero : times?.waiting
            // The kernel names its statistics itself; one that has other names has none of these.
            usage.exits = source.statistics?.value("exits")
            usage.pageFaults = source.statistics?.value("pf_taken")
            if let ring = rings?[processor.index] {
                usage.fullRings = ring.count
                usage.fullRingTime = ring.time
            }
            return usage
        }
    }

    /// How long the vCPUs were kept out of the guest so far because somebody paused them, the time included that it took to
    /// get them out: to have the last pages in the dirty rings, or for a change of memory.
    public var pausedTime: Duration { machine.control.pausedTime }
}
