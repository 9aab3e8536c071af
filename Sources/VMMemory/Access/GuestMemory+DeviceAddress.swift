import VMAddressSpace

extension GuestMemory {
    /// The address by which a device finds `count` bytes in a row, where such devices can be told to access this memory:
    /// see `GuestMemoryAccess.baseIOVA`. Lock the pages for as long as it is in use.
    /// - Parameter count: 0 is taken for 1.
    /// - Throws: `GuestMemoryError`, of kind `noHostAddress` where they cannot, or the bytes are not all in one region.
    public func deviceAddress(of address: GuestAddress, count: UInt64) throws(GuestMemoryError) -> UInt64 {
        let count = max(1, count)
        let first = try requireMemory(.translate, address, count)
        let region = map.memory().withMap { $0.region(containing: GuestAddress(first)) }
        // No snapshot is held while the backing is asked.
        if let region, count - 1 <= region.range.last.rawValue - first, let start = region.access.baseIOVA {
            let offset = region.accessOffset + (first - region.range.start.rawValue)
            let (found, overflow) = start.addingReportingOverflow(offset)
            if !overflow, count - 1 <= .max - found { return found }
        }
        throw error(.translate, first, count, .noHostAddress, at: first)
    }

    /// Host memory in which all of this handle's addresses lie in order from 0 on, where one region covers it; nil
    /// otherwise. Its pages may be missing, and what is written there is not marked. The address is good for as long as
    /// `region` is held.
    public var fullMapping: (region: any GuestMemoryRegion, bytes: UnsafeMutableRawBufferPointer)? {
        let isAll = base == 0 && last == .max
        let region = map.memory().withMap { map in
            isAll && map.list.count > 1 ? nil : map.region(containing: GuestAddress(base))
        }
        guard let region, let host = region.hostAddress else { return nil }
        let available = region.range.last.rawValue - base
        guard isAll || last <= available, let count = Int(exactly: min(last, available)) else { return nil }
        let start = host + Int(base - region.range.start.rawValue)
        return (region, UnsafeMutableRawBufferPointer(start: start, count: count + 1))
    }
}
