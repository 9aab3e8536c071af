import VMAddressSpace

/// Bytes to be locked, or locked, that are in a row both for the guest and on the host.
struct LockedRun: @unchecked Sendable {
    // SAFETY: what several threads do through the pointer races as processors do on RAM. It leaves this module only for
    // as long as a `LockedMemory` is borrowed that keeps the bytes locked.
    /// The guest-physical address of the first byte.
    let address: GuestAddress
    /// The host memory; not empty.
    let bytes: UnsafeMutableRawBufferPointer
    let region: any GuestMemoryRegion

    /// The guest-physical address of the last byte.
    var last: UInt64 { address.rawValue + UInt64(bytes.count - 1) }
    /// In bytes, in the region.
    private var offset: UInt64 { address.rawValue - region.range.start.rawValue }
    /// In bytes, in what lies behind the region.
    private var offsetInBacking: UInt64 { region.accessOffset + offset }

    func markWritten() {
        region.markDirty(offset: offset, count: UInt64(bytes.count))
    }

    func lock(for purpose: GuestMemory.Purpose) throws(GuestMemoryBackingError) {
        try region.access.lockPages(offset: offsetInBacking, count: UInt64(bytes.count), for: purpose)
        do throws(GuestMemoryBackingError) {
            try region.access.exposeHostAddresses(offset: offsetInBacking, count: UInt64(bytes.count))
        } catch {
            unlock()
            throw error
        }
    }

    func unlock() {
        region.access.unlockPages(offset: offsetInBacking, count: UInt64(bytes.count))
    }
}
