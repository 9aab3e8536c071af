import CURing
import Glibc
import SystemPackage
import VMHost

/// Whether the host has an io_uring that can do what `RingTransfer` needs.
struct RingSupport: Hashable, Sendable, CustomStringConvertible {
    /// Why not; nil where it can.
    let reason: String?

    var description: String {
        reason.map { "plain system calls (io_uring: \($0))" } ?? "io_uring"
    }

    /// Sets up a ring, asks it what it can, and removes it.
    /// - Parameter create: as `curing_create`: 0, or a negated errno.
    static func probe(by create: (inout OpaquePointer?, UInt32) -> CInt = { curing_create(&$0, $1) }) -> RingSupport {
        var ring: OpaquePointer?
        let result = create(&ring, Ring.entries)
        guard result >= 0, let ring else { return RingSupport(reason: failure(Errno(rawValue: -result))) }
        defer { curing_destroy(ring) }
        return RingSupport(reason: lack(features: curing_features(ring), operations: curing_operations(ring)))
    }

    /// Waits with a time limit (Linux 5.11), completions that are never dropped (5.5), entries that the kernel has copied
    /// once they are submitted (5.5), and transfers at the position of the file (5.6).
    private static let features: [(bit: UInt32, name: String)] = [
        (CURING_FEAT_EXT_ARG, "EXT_ARG"), (CURING_FEAT_NODROP, "NODROP"), (CURING_FEAT_SUBMIT_STABLE, "SUBMIT_STABLE"),
        (CURING_FEAT_RW_CUR_POS, "RW_CUR_POS"),
    ]

    private static let operations: [(number: UInt32, name: String)] = [
        (CURING_OP_SENDMSG, "SENDMSG"), (CURING_OP_RECV, "RECV"), (CURING_OP_READ, "READ"),
        (CURING_OP_WRITEV, "WRITEV"), (CURING_OP_POLL_ADD, "POLL_ADD"), (CURING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"),
    ]

    /// What is missing, in words; nil where nothing is.
    static func lack(features: UInt32, operations: UInt64) -> String? {
        let missing =
            Self.features.filter { features & $0.bit == 0 }.map(\.name)
            + Self.operations.filter { operations >> UInt64($0.number) & 1 == 0 }.map(\.name)
        return missing.isEmpty ? nil : "this kernel's lacks \(missing.joined(separator: ", "))"
    }

    private static func failure(_ errno: Errno) -> String {
        switch errno {
        case .noFunction: "this kernel has none, ENOSYS"
        case .notPermitted, .permissionDenied: "not permitted, \(errno.symbol)"
        case .noMemory: "not enough memory that may be locked, ENOMEM"
        default: "\(errno), \(errno.symbol)"
        }
    }
}
