import VMAddressSpace

/// A range that a call of `MemoryRegistration` did nothing about.
public struct RegistrationFault<Underlying: Error>: Error {
    /// Guest-physical, without the registrar's offset.
    public let range: MemoryRange
    /// What the call threw.
    public let error: Underlying

    /// - Parameter range: guest-physical, without the registrar's offset.
    public init(range: MemoryRange, error: Underlying) {
        self.range = range
        self.error = error
    }
}

/// Why a `MemoryRegistrar` did not do what it was asked to. All addresses are the guest's, without the offset.
public enum MemoryRegistrarError<Underlying: Error>: Error {
    /// An address space is to have from 32 to 52 bits.
    case invalidAddressSpaceBits(Int)
    /// A chunk, in bytes, is to be a power of two from 2 MiB to the size of the address space.
    case invalidChunkSize(UInt64, addressSpaceBits: Int)
    /// An offset, in bytes, is to be a multiple of 4 KiB, and the address space moved by it is to end at or below 2^64.
    case invalidOffset(UInt64, addressSpaceBits: Int)
    /// The host has no memory for the bitmap of chunks, of so many bytes.
    case noHostMemory(count: UInt64)
    /// The bytes to expose pass 2^64.
    case pastEnd(GuestAddress, count: UInt64)
    /// RAM to add overlaps RAM there is.
    case overlap(MemoryRange, existing: MemoryRange)
    /// RAM to add is not all in the address space.
    case outsideAddressSpace(MemoryRange, addressSpaceBits: Int)
    /// Memory to remove is not all RAM: `missing`, the lowest part of it that is not.
    case notRAM(MemoryRange, missing: MemoryRange)
    /// Memory to unregister takes only a part of `registered`, which the target cannot split.
    case wouldSplit(MemoryRange, registered: MemoryRange)
    /// The target refused memory. What was registered along with it has been undone, save for these ranges, which the
    /// target would not let go: they are registered still, and the registrar knows.
    case registrationFailed(RegistrationFault<Underlying>, notUndone: [RegistrationFault<Underlying>])
    /// The target would not let go of memory, which thus is registered still.
    case unregistrationFailed(RegistrationFault<Underlying>)
}

extension RegistrationFault: Equatable where Underlying: Equatable {}
extension RegistrationFault: Hashable where Underlying: Hashable {}
extension MemoryRegistrarError: Equatable where Underlying: Equatable {}
extension MemoryRegistrarError: Hashable where Underlying: Hashable {}

extension MemoryRegistrarError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidAddressSpaceBits(let bits):
            "a guest's address space cannot have \(bits) bits; it has from 32 to 52"
        case .invalidChunkSize(let size, let bits):
            "memory cannot be registered in chunks of \(size) bytes; a chunk is a power of two from 2 MiB to 2^\(bits)"
        case .invalidOffset(let offset, let bits):
            "memory cannot be registered at an offset of 0x\(String(offset, radix: 16)); an offset is a multiple of "
                + "\(PageSize.size4K), and with it an address space of 2^\(bits) bytes may not pass 2^64"
        case .noHostMemory(let count):
            "cannot get \(count) bytes of host memory for the bitmap of chunks; larger chunks need fewer"
        case .pastEnd(let address, let count):
            "cannot expose \(count) bytes at \(address): they pass the last address"
        case .overlap(let range, let existing):
            "cannot add RAM at \(range): there is RAM at \(existing)"
        case .outsideAddressSpace(let range, let bits):
            "cannot add RAM at \(range): the guest's address space ends at 2^\(bits)"
        case .notRAM(let range, let missing):
            "cannot remove the RAM at \(range): there is none at \(missing)"
        case .wouldSplit(let range, let registered):
            "cannot unregister \(range): it is a part of \(registered), which was registered as one"
        case .registrationFailed(let fault, let notUndone):
            "cannot register guest memory at \(fault)"
                + notUndone.map { "; cannot undo the registration of \($0)" }.joined()
        case .unregistrationFailed(let fault):
            "cannot unregister guest memory at \(fault)"
        }
    }
}

extension RegistrationFault: CustomStringConvertible {
    public var description: String { "\(range): \(error)" }
}
