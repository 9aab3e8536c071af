import Glibc
import KVM
import Synchronization
import SystemPackage
import VMHost

/// One virtual CPU of a running machine: the vCPU, its thread, and the trace of its exits.
final class Processor: Sendable {
    let index: Int
    let vcpu: VCPU
    /// What it says of itself.
    let cpuid: [CPUIDEntry]
    let trace = ExitTrace()
    private let thread = Mutex<pthread_t?>(nil)
    /// The kernel's number of the thread while it runs; 0 otherwise.
    private let threadID = Atomic<pid_t>(0)

    /// Enough for the run loop and the devices it calls; the rest of the monitor runs on threads of the caller.
    private static let stackSize = 256 << 10

    init(index: Int, vcpu: consuming VCPU, cpuid: [CPUIDEntry]) {
        self.index = index
        self.cpuid = cpuid
        self.vcpu = vcpu
    }

    deinit {
        // A thread that nobody joined ends by itself.
        thread.withLock { thread in
            if let thread { pthread_detach(thread) }
        }
    }

    /// Starts the thread, which runs `body` and ends. It handles no signal but the kick.
    func start(_ body: @escaping @Sendable () -> Void) throws(MachineError) {
        KickSignal.install
        let created: pthread_t
        do throws(Errno) {
            created = try HostThread.start(stackSize: Self.stackSize, receiving: [KickSignal.number]) {
                self.threadID.store(ThreadTimes.currentThreadID, ordering: .relaxed)
                body()
                self.threadID.store(0, ordering: .relaxed)
            }
        } catch {
            throw .thread(error.rawValue)
        }
        thread.withLock { $0 = created }
    }

    /// Makes the thread leave the guest and look at what is asked of it.
    func kick() {
        vcpu.requestExit()
        thread.withLock { thread in
            if let thread { KickSignal.send(to: thread) }
        }
    }

    /// Waits for the thread to end. Afterwards the vCPU may be called from this thread.
    func join() {
        let ended = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let ended { pthread_join(ended, nil) }
    }

    /// How much CPU time the thread has used; nil when it does not run.
    var cpuTime: MonotonicTime? {
        thread.withLock { thread in
            var clock = clockid_t()
            guard let thread, pthread_getcpuclockid(thread, &clock) == 0 else { return nil }
            return MonotonicTime(clock: clock)
        }
    }

    /// How the thread has spent its time; nil when it does not run.
    var threadTimes: ThreadTimes? {
        let id = threadID.load(ordering: .relaxed)
        return id == 0 ? nil : ThreadTimes(ofThread: id)
    }
}
