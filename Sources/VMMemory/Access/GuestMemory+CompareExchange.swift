import VMAddressSpace

extension GuestMemory {
    @usableFromInline
    func compareExchangeWord(
        _ address: GuestAddress, _ size: Int, expected: UInt64, desired: UInt64
    ) throws(GuestMemoryError) -> UInt64 {
        let count = UInt64(size)
        guard let first = start(address, count) else { throw outOfBounds(.compareExchange, address, count) }
        guard size <= 8, size.nonzeroBitCount == 1, first & (count - 1) == 0 else {
            throw error(.compareExchange, first, count, .notAtomic, at: first)
        }
        // A negative value comes with ones above its own bits, with which nothing that is found would be equal.
        let mask = Self.mask(size)
        let expected = expected & mask
        let desired = desired & mask
        let found = map.memory().withMap { map in
            map.compareExchangeAtOnce(first, size, expected: expected, desired: desired)
        }
        if let found { return found }
        return try compareExchangeWithCare(first, size, expected: expected, desired: desired)
    }

    /// The bits of a value of `size` bytes: 1, 2, 4 or 8.
    private static func mask(_ size: Int) -> UInt64 {
        .max >> UInt64(64 - size * 8)
    }

    @inline(never)
    private func compareExchangeWithCare(
        _ first: UInt64, _ size: Int, expected: UInt64, desired: UInt64
    ) throws(GuestMemoryError) -> UInt64 {
        while true {
            let step = map.memory().withMap { $0.compareExchange(first, size, expected: expected, desired: desired) }
            switch step {
            case .found(let value):
                return value
            case .stopped(let kind):
                throw error(.compareExchange, first, UInt64(size), kind, at: first)
            case .pageFault(let region, let offset, let cause):
                let fault = PageFault(isWrite: true, cause: cause)
                let value = try resolve(fault, region, offset, first, size, expected: expected, desired: desired)
                if let value { return value }
            }
        }
    }

    /// Lets the backing decide. No snapshot is held here.
    /// - Returns: what was found, where the backing did it; nil to try again.
    private func resolve(
        _ fault: PageFault, _ region: any GuestMemoryRegion, _ offset: UInt64, _ first: UInt64, _ size: Int,
        expected: UInt64, desired: UInt64
    ) throws(GuestMemoryError) -> UInt64? {
        let inBacking = region.accessOffset + offset
        let failure: GuestMemoryError.Kind
        switch region.access.pageFault(offset: inBacking, count: UInt64(size), fault) {
        case .retry:
            return nil
        case .fail(let reason):
            failure = reason.map { .backing($0) } ?? fault.failure
        case .fallback:
            do throws(GuestMemoryBackingError) {
                let found = try region.access.compareExchangeFallback(
                    offset: inBacking, size: size, expected: expected, desired: desired)
                let value = found & Self.mask(size)
                if value == expected { region.markDirty(offset: offset, count: UInt64(size)) }
                return value
            } catch {
                // It may have been written all the same.
                region.markDirty(offset: offset, count: UInt64(size))
                failure = .backing(error)
            }
        }
        throw error(.compareExchange, first, UInt64(size), failure, at: first)
    }
}
