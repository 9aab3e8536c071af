import VMAddressSpace

/// As the backing of regions, a `SparseMapping` has its offsets as addresses; pages where nothing is mapped fault.
extension SparseMapping: GuestMemoryAccess {
    public var mapping: UnsafeMutableRawPointer? { baseAddress }
    public var byteCount: UInt64 { UInt64(count) }

    /// Throws where something of the range is not mapped, or not with the protection that the purpose takes.
    public func lockPages(
        offset: UInt64, count: UInt64, for purpose: GuestMemory.Purpose
    ) throws(GuestMemoryBackingError) {
        do throws(HostMemoryError) {
            try lock(offset: offset, count: count)
        } catch {
            throw GuestMemoryBackingError("\(error)")
        }
        // Found out after locking: before it can change.
        let range = offset..<(offset + count)
        let isUsable: Bool? = table.withLock { pieces in
            guard pieces.firstGap(in: range) == nil else { return nil }
            return pieces.parts(in: range).allSatisfy { $0.protection.isSuperset(of: purpose.protection) }
        }
        if let isUsable, isUsable { return }
        unlockPages(offset: offset, count: count)
        throw isUsable == nil ? .notMapped : .notProtectedFor(purpose)
    }

    public func unlockPages(offset: UInt64, count: UInt64) {
        // It can only fail for what was not locked.
        try? unlock(offset: offset, count: count)
    }

    public func providePages(offset: UInt64, count: UInt64) -> Bool {
        do throws(HostMemoryError) {
            try populate(offset: offset, count: count)
            return true
        } catch {
            return false
        }
    }
}
