import Glibc

/// What the monitor, and a guest through it, may do with memory (`PROT_*`).
public struct MemoryProtection: OptionSet, Hashable, Sendable {
    public let rawValue: CInt

    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    public static let read = MemoryProtection(rawValue: PROT_READ)
    public static let write = MemoryProtection(rawValue: PROT_WRITE)
    /// Execution by the host's processor in the monitor. What a guest executes does not need it.
    public static let execute = MemoryProtection(rawValue: PROT_EXEC)

    public static let none: MemoryProtection = []
    public static let readOnly: MemoryProtection = [.read]
    public static let readWrite: MemoryProtection = [.read, .write]
}

extension MemoryProtection: CustomStringConvertible {
    /// As `/proc/<pid>/maps` prints it: `rw-`.
    public var description: String {
        (contains(.read) ? "r" : "-") + (contains(.write) ? "w" : "-") + (contains(.execute) ? "x" : "-")
    }
}
