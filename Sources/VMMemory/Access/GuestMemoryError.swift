import VMAddressSpace

/// An access to guest memory that failed.
public struct GuestMemoryError: Error, Hashable {
    /// What was tried.
    public enum Operation: String, Hashable, Sendable {
        case read, write, fill
        case compareExchange = "compare and exchange"
        case lock, probe, populate
        case subrange = "make a handle for"
        case translate = "tell a device's address for"
    }

    /// What stood against it.
    public enum Kind: Hashable, Sendable {
        /// There is no guest memory at `failing`.
        case notMapped
        /// The range reaches past the end of the handle, by its own last address.
        case outOfBounds(last: UInt64)
        /// The region at `failing` cannot be written to.
        case readOnly
        /// The access bitmap forbids it at `failing`.
        case notPermitted
        /// The host faulted at `failing`.
        case fault(HostFault)
        /// What lies behind the region at `failing` refused it.
        case backing(GuestMemoryBackingError)
        /// The range is not aligned to its length, a length of 1, 2, 4 or 8 bytes, or is made of several regions.
        case notAtomic
        /// There is no host address, or none for devices, behind `failing`.
        case noHostAddress
        /// A page list does not hold that many bytes, or has frames past 2^64.
        case badPageList
        /// The number of bytes is below 0.
        case negativeCount
        /// More than `limit` bytes are not read into an array.
        case tooLong(limit: UInt64)
    }

    public let operation: Operation
    /// The name of the handle.
    public let memory: String
    /// The guest-physical address of the access's first byte.
    public let address: GuestAddress
    /// The length of the whole access, in bytes.
    public let count: UInt64
    /// The guest-physical address of the first byte at fault; the last address there is where that is 2^64.
    public let failing: GuestAddress
    /// How many bytes from the first on were accessed before.
    public let completed: UInt64
    public let kind: Kind
}

extension GuestMemoryError: CustomStringConvertible {
    public var description: String {
        let done = completed > 0 ? " (\(Self.bytes(completed)) done before)" : ""
        return "cannot \(operation.rawValue) \(Self.bytes(count)) of \(memory) at \(address): \(reason)\(done)"
    }

    private static func bytes(_ count: UInt64) -> String {
        count == 1 ? "1 byte" : "\(count) bytes"
    }

    private var reason: String {
        switch kind {
        case .notMapped: "there is no memory at \(failing)"
        case .outOfBounds(let last): "it ends at offset 0x\(String(last, radix: 16))"
        case .readOnly: "the memory at \(failing) is read-only"
        case .notPermitted: "access to the page at \(failing) is not allowed"
        case .fault(let fault): "a fault at \(failing): \(fault)"
        case .backing(let error): "at \(failing), \(error)"
        case .notAtomic: "only 1, 2, 4 or 8 bytes, aligned to their number, can be accessed in one step"
        case .noHostAddress: "the memory at \(failing) has no address to give"
        case .badPageList: "the list of pages does not hold that many bytes"
        case .negativeCount: "the number of bytes is negative"
        case .tooLong(let limit): "at most \(Self.bytes(limit)) go into an array; read them into a buffer"
        }
    }
}
