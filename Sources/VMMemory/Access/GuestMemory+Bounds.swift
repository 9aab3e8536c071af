import VMAddressSpace

/// What of a handle's addresses is memory, and the errors about what is not.
extension GuestMemory {
    /// Whether all `count` bytes from `address` on are memory. Some of it may still not be accessible.
    public func contains(_ address: GuestAddress, count: UInt64) -> Bool {
        guard count > 0 else { return true }
        guard let first = start(address, count) else { return false }
        return firstGap(first, first + (count - 1)) == nil
    }

    /// Throws where not all of a range is memory.
    /// - Parameter count: of bytes, above 0.
    /// - Returns: the guest-physical address of the first.
    @discardableResult
    func requireMemory(
        _ operation: GuestMemoryError.Operation, _ address: GuestAddress, _ count: UInt64
    ) throws(GuestMemoryError) -> UInt64 {
        guard let first = start(address, count) else { throw outOfBounds(operation, address, count) }
        if let gap = firstGap(first, first + (count - 1)) { throw error(operation, first, count, .notMapped, at: gap) }
        return first
    }

    private func firstGap(_ first: UInt64, _ last: UInt64) -> UInt64? {
        map.memory().withMap { $0.table.firstGap(first, last) }
    }

    /// The guest-physical address of one of the handle's, or the last address where that would pass 2^64.
    func guestPhysical(_ address: GuestAddress) -> UInt64 {
        let (sum, overflow) = base.addingReportingOverflow(address.rawValue)
        return overflow ? .max : sum
    }

    /// The error for an access that does not lie within the bounds of the handle.
    @inline(never)
    func outOfBounds(
        _ operation: GuestMemoryError.Operation, _ address: GuestAddress, _ count: UInt64
    ) -> GuestMemoryError {
        let first = guestPhysical(address)
        // All of the address space has no end but its own: memory that is missing before it says more.
        if last == .max, let gap = firstGap(first, .max) { return error(operation, first, count, .notMapped, at: gap) }
        let (end, endsPastLastAddress) = (base + last).addingReportingOverflow(1)
        let failing = address.rawValue > last ? first : endsPastLastAddress ? .max : end
        return error(operation, first, count, .outOfBounds(last: last), at: failing)
    }

    /// - Parameter first: the guest-physical address of the access.
    func error(
        _ operation: GuestMemoryError.Operation, _ first: UInt64, _ count: UInt64, _ kind: GuestMemoryError.Kind,
        at failing: UInt64, completed: UInt64 = 0
    ) -> GuestMemoryError {
        GuestMemoryError(
            operation: operation, memory: name, address: GuestAddress(first), count: count,
            failing: GuestAddress(failing), completed: completed, kind: kind)
    }
}
