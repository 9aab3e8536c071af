import VMAddressSpace

/// Guest-physical memory to be locked.
struct LockRequest {
    let first: UInt64
    let last: UInt64
    /// In bytes.
    let count: UInt64
    let purpose: GuestMemory.Purpose

    /// - Parameter count: above 0, and all of it below 2^64.
    init(_ first: UInt64, _ count: UInt64, _ purpose: GuestMemory.Purpose) {
        self.first = first
        self.last = first + (count - 1)
        self.count = count
        self.purpose = purpose
    }
}

extension RegionMap {
    enum LockableRun {
        case run(LockedRun)
        /// What stands against it, and at which address.
        case refused(GuestMemoryError.Kind, failing: UInt64)
    }

    /// The part from `address` on of what is to be locked that lies in one region.
    func lockableRun(_ request: LockRequest, at address: UInt64) -> LockableRun {
        guard let found = table.region(at: address) else { return .refused(.notMapped, failing: address) }
        let isWrite = request.purpose == .writing
        guard !(isWrite && found.isReadOnly) else { return .refused(.readOnly, failing: address) }
        guard found.host != nil else { return .refused(.noHostAddress, failing: address) }
        let distance = min(request.last, found.last) - address
        guard distance < UInt64(Int.max) else { return .refused(.noHostAddress, failing: address) }
        let count = distance + 1
        // Who locks for writing may read, too.
        let readable = found.permittedPrefix(address, count, isWrite: false)
        let permitted = isWrite ? min(readable, found.permittedPrefix(address, count, isWrite: true)) : readable
        guard permitted == count else { return .refused(.notPermitted, failing: address + permitted) }
        let bytes = UnsafeMutableRawBufferPointer(start: found.hostAddress(address), count: Int(count))
        return .run(LockedRun(address: GuestAddress(address), bytes: bytes, region: found.region))
    }
}
