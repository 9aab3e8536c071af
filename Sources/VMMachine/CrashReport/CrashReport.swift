/// Why a guest died, and all that helps its author to find out where: one sentence, the registers, the code, how the
/// addresses in question are translated, the calls that led there, and what the CPU last asked of the machine.
public struct CrashReport: Sendable {
    /// What the kernel said.
    public enum Cause: Sendable, Hashable {
        case tripleFault
        /// `KVM_EXIT_INTERNAL_ERROR` (KVM API document, section 5).
        case internalError(suberror: UInt32, data: [UInt64])
        case failedEntry(reason: UInt64)
        case memoryFault(address: UInt64, count: UInt64)
        case systemEvent(type: UInt32)
        /// The processor left the guest for a reason that the kernel does not know.
        case unknownHardwareReason(UInt64)
        case unexpectedExit(reason: UInt32)
    }

    /// A titled part of the report.
    public struct Section: Sendable {
        public let title: String
        public let lines: [String]
    }

    public let cause: Cause
    /// The vCPU that died.
    public let vcpu: Int
    /// What happened, in one sentence.
    public let summary: String
    public let sections: [Section]
}

extension CrashReport: CustomStringConvertible {
    /// The whole report, in lines, the sentence first.
    public var description: String {
        var lines = [summary]
        for section in sections {
            lines += ["", "\(section.title):"] + section.lines.map { "  " + $0 }
        }
        return lines.joined(separator: "\n")
    }
}
