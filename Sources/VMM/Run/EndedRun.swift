import Glibc
import SystemPackage
import VMHost
import VMMachine

/// How a machine's run went, once it has: told by a thread that waits for it.
final class EndedRun: Sendable {
    private let told = Monitor<RunResult?>(nil)

    var result: RunResult? { told.withLock(\.self) }

    /// - Returns: the thread, to be joined.
    func wait(for machine: Machine) throws(MachineError) -> pthread_t {
        do throws(Errno) {
            return try HostThread.start(stackSize: 256 << 10) {
                let result = machine.wait()
                self.told.change { $0 = result }
            }
        } catch {
            machine.stop()
            _ = machine.wait()
            throw .thread(error.rawValue)
        }
    }

    /// - Returns: whether it has ended.
    func wait(until deadline: MonotonicTime) -> Bool {
        told.wait(until: deadline) { $0 == nil ? nil : true } ?? false
    }
}
