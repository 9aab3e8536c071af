/// A host mapping as the backing of regions: all of its pages are there, as long as anybody refers to it.
public final class MappedMemory: GuestMemoryAccess {
    private let owner: HostMapping

    public init(_ mapping: consuming HostMapping) {
        owner = mapping
    }

    public var mapping: UnsafeMutableRawPointer? { owner.baseAddress }
    public var byteCount: UInt64 { UInt64(owner.count) }
}
