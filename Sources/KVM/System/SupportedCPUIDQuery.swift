import CKVM
import Glibc
import SystemPackage
import VMHost

/// `KVMSystem.supportedCPUID()` on a thread of its own, while the caller makes a VM.
///
/// The kernel executes `CPUID` once or more for each entry, and where the host is itself a guest each of these traps: a
/// third of a millisecond in all, longer than it takes to create a VM. Best asked as early as can be: a grace period of
/// the kernel's, such as a memory slot takes, can last until the thread is done.
public struct SupportedCPUIDQuery: Sendable {
    /// What the thread and who waits for it share. The thread allocates nothing, and frees nothing either: see
    /// `HostThread.Body`.
    private final class Question: @unchecked Sendable {
        // SAFETY: the thread alone touches the entries until there is an outcome, and nobody changes them after that.
        private let entries = FlexibleArray<kvm_cpuid2, CPUIDEntry>(header: kvm_cpuid2(), capacity: capacity)
        private let path: ContiguousArray<CChar>
        /// Whether the entries are there.
        private let outcome = Monitor<Bool?>(nil)

        private static let capacity = 256

        init(_ path: String) {
            self.path = path.utf8CString
            entries.pointer.pointee.nent = UInt32(Self.capacity)
        }

        func ask() {
            let isAnswered = path.withUnsafeBufferPointer { path in
                let device = open(path.baseAddress!, O_RDWR | O_CLOEXEC)
                guard device >= 0 else { return false }
                defer { close(device) }
                return ckvm_ioctl_pointer(device, CKVM_GET_SUPPORTED_CPUID, entries.pointer) >= 0
            }
            outcome.change { $0 = isAnswered }
        }

        var answer: [CPUIDEntry]? {
            outcome.wait { $0 } ? entries.elements(Int(entries.pointer.pointee.nent)) : nil
        }
    }

    private let question: Question
    private let body: HostThread.Body
    private static let stackSize = 256 << 10

    /// Begins to ask. Where the process can have no more threads, it waits for the answer.
    /// - Parameter path: of the KVM device.
    public init(path: String) {
        let question = Question(path)
        body = HostThread.Body { question.ask() }
        do throws(Errno) {
            pthread_detach(try HostThread.start(stackSize: Self.stackSize, body))
        } catch {
            question.ask()
        }
        self.question = question
    }

    /// Waits for the answer.
    /// - Parameter system: asked again where that failed, so that it is told why.
    /// - Throws: what `KVMSystem.supportedCPUID()` does.
    public func result(on system: borrowing KVMSystem) throws(KVMError) -> [CPUIDEntry] {
        if let answer = question.answer { return answer }
        return try system.supportedCPUID()
    }
}
