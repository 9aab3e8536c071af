import SystemPackage
import VMAddressSpace

/// An access to guest memory that did not happen.
public struct GuestMemoryError: Error, Hashable, CustomStringConvertible {
    /// What was tried.
    public enum Operation: String, Hashable, Sendable { case read, write, map }
    /// What stood against it.
    public enum Kind: Hashable, Sendable {
        /// There is no RAM at `address`.
        case notMapped
        /// Another region is at `address` already.
        case overlap
        /// The host would not give the memory.
        case noHostMemory(Errno)
    }

    /// What was tried.
    public let operation: Operation
    /// The first address at fault.
    public let address: GuestAddress
    /// The length of the whole access, in bytes.
    public let count: UInt64
    /// What stood against it.
    public let kind: Kind

    /// - Parameter count: of the whole access, in bytes.
    public init(operation: Operation, address: GuestAddress, count: UInt64, kind: Kind) {
        self.operation = operation
        self.address = address
        self.count = count
        self.kind = kind
    }

    public var description: String {
        switch kind {
        case .notMapped: "cannot \(operation) \(count) bytes: there is no guest memory at \(address)"
        case .overlap: "cannot map \(count) bytes at \(address): another region is there"
        case .noHostMemory(let errno): "cannot get \(count) bytes of host memory for \(address): \(errno)"
        }
    }
}
