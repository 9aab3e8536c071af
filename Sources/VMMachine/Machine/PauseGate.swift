import Synchronization
import VMHost

/// Keeps all vCPUs of a machine out of the guest: for whoever pauses the machine, and for changes of its memory.
final class PauseGate: Sendable {
    let control: RunControl
    /// None until they are made.
    private let processors = Mutex<[Processor]>([])

    init(_ control: RunControl) {
        self.control = control
    }

    /// To be called once, when the vCPUs are there and before they run.
    func attach(_ processors: [Processor]) {
        self.processors.withLock { $0 = processors }
    }

    /// Returns when every vCPU stands still or has left the guest for the last time. Each call needs one `resume(_:)`. Not for
    /// the thread of a vCPU, which would wait for itself.
    func pause(_ controller: RunControl.Controller) {
        control.requestPause(controller)
        // They may stand still for somebody else. Otherwise, a kick can come just before a vCPU thread makes a system call that
        // blocks, so it is repeated.
        guard !control.hasStandstill else { return }
        repeat { kick() } while !control.waitUntilStandstill(until: .now.advanced(by: .milliseconds(20)))
    }

    /// Lets the vCPUs go on once nobody else has paused them.
    /// - Returns: false where such a controller had not paused them.
    @discardableResult
    func resume(_ controller: RunControl.Controller) -> Bool {
        control.resume(controller)
    }

    /// Makes every vCPU thread look at what is asked of it.
    func kick() {
        for processor in processors.withLock(\.self) { processor.kick() }
    }
}
