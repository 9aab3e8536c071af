/// A host mapping as the backing of regions: all of its pages are there, as long as anybody refers to it.
public final class MappedMemory: GuestMemoryAccess {
    private let owner: HostMapping

    public init(_ mapping: consuming HostMapping) {
        owner = mapping
    }

    public var mapping: UnsafeMutableRawPointer? { owner.baseAddress }
    public var byteCount: UInt64 { UInt64(owner.count) }

    /// Throws where it is not mapped with the protection that the purpose takes.
    public func lockPages(
        offset: UInt64, count: UInt64, for purpose: GuestMemory.Purpose
    ) throws(GuestMemoryBackingError) {
        guard owner.protection.isSuperset(of: purpose.protection) else { throw .notProtectedFor(purpose) }
    }

    public func providePages(offset: UInt64, count: UInt64) -> Bool {
        do throws(HostMemoryError) {
            try owner.populate(offset: offset, count: count)
            return true
        } catch {
            return false
        }
    }
}

extension GuestMemory.Purpose {
    /// What the host's mapping has to allow.
    var protection: MemoryProtection {
        switch self {
        case .reading: .read
        case .writing: .readWrite
        }
    }
}

extension GuestMemoryBackingError {
    static let notMapped = GuestMemoryBackingError("nothing is mapped there on the host")

    static func notProtectedFor(_ purpose: GuestMemory.Purpose) -> GuestMemoryBackingError {
        GuestMemoryBackingError("the host's mapping does not allow \(purpose)")
    }
}
