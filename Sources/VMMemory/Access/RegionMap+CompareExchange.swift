import VMAddressSpace

extension RegionMap {
    enum CompareExchangeStep {
        case found(UInt64)
        case stopped(GuestMemoryError.Kind)
        case pageFault(any GuestMemoryRegion, offset: UInt64, PageFault.Cause)
    }

    /// - Returns: what was found; nil where something stands against it.
    @inline(__always)
    func compareExchangeAtOnce(_ first: UInt64, _ size: Int, expected: UInt64, desired: UInt64) -> UInt64? {
        guard let found = table.direct(first, UInt64(truncatingIfNeeded: size), isWrite: true) else { return nil }
        let host = found.hostAddress(first)
        let result = TryCopy.compareExchange(host, size: size, expected: expected, desired: desired)
        guard result.signal == 0 else { return nil }
        if result.value == expected { found.markDirty(first, UInt64(size)) }
        return result.value
    }

    /// - Parameter first: aligned to `size`, so that all of it is in one region: regions are made of pages.
    func compareExchange(_ first: UInt64, _ size: Int, expected: UInt64, desired: UInt64) -> CompareExchangeStep {
        guard let found = table.region(at: first) else { return .stopped(.notMapped) }
        guard !found.isReadOnly else { return .stopped(.readOnly) }
        func pageFault(_ cause: PageFault.Cause) -> CompareExchangeStep {
            .pageFault(found.region, offset: first - found.start, cause)
        }
        guard found.host != nil else { return pageFault(.noMapping) }
        guard found.permits(first, UInt64(size), isWrite: true) else { return pageFault(.accessBitmap) }
        let host = found.hostAddress(first)
        let result = TryCopy.compareExchange(host, size: size, expected: expected, desired: desired)
        if let fault = TryCopy.fault(result) { return pageFault(.host(fault.cause)) }
        if result.value == expected { found.markDirty(first, UInt64(size)) }
        return .found(result.value)
    }
}
