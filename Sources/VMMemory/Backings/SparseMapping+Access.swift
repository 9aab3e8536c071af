import VMAddressSpace

/// As the backing of regions, a `SparseMapping` has its offsets as addresses; pages where nothing is mapped fault.
extension SparseMapping: GuestMemoryAccess {
    public var mapping: UnsafeMutableRawPointer? { baseAddress }
    public var byteCount: UInt64 { UInt64(count) }

    /// Throws where something of the range is not mapped.
    public func lockPages(offset: UInt64, count: UInt64) throws(GuestMemoryBackingError) {
        do throws(HostMemoryError) {
            try lock(offset: offset, count: count)
        } catch {
            throw GuestMemoryBackingError("\(error)")
        }
        guard isMapped(offset: offset, count: count) else {
            unlockPages(offset: offset, count: count)
            throw GuestMemoryBackingError("nothing is mapped there on the host")
        }
    }

    public func unlockPages(offset: UInt64, count: UInt64) {
        // It can only fail for what was not locked.
        try? unlock(offset: offset, count: count)
    }

    private func isMapped(offset: UInt64, count: UInt64) -> Bool {
        table.withLock { $0.firstGap(in: offset..<(offset + count)) } == nil
    }
}
