import SystemPackage
import VMHost

/// Why pages that are missing cannot be provided as they are touched.
public enum UserFaultError: Error, Hashable, Sendable {
    /// The host does not let this process have a userfaultfd(2) for faults of the kernel's, which KVM's are.
    case unavailable(Errno)
    /// Memory of a kind that the kernel cannot do it with.
    case memory(String, Errno)
    /// Pages that are there, and have to come again, cannot be dropped.
    case discard(String, Errno)
    /// The kernel has no page for one that came.
    case place(String, Errno)
    /// What faulted cannot be read.
    case read(Errno)
}

extension UserFaultError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unavailable(let errno):
            "post-copy needs userfaultfd(2) for faults of KVM, and this process cannot have it (\(errno.symbol)): give it "
                + "access to /dev/userfaultfd or CAP_SYS_PTRACE, or set vm.unprivileged_userfaultfd=1"
        case .memory(let name, let errno):
            "memory of the kind of \"\(name)\" cannot come by post-copy (\(errno.symbol)); it has to be anonymous or a memfd "
                + "of 4 KiB pages"
        case .discard(let name, let errno):
            "pages of \"\(name)\" cannot be dropped to come again (\(errno.symbol)); is the memory locked?"
        case .place(let name, let errno): "pages of \"\(name)\" cannot be put in place: \(errno) (\(errno.symbol))"
        case .read(let errno): "faults of guest memory cannot be read: \(errno) (\(errno.symbol))"
        }
    }
}
