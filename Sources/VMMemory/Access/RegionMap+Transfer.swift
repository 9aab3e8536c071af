import VMDirtyBitmap

extension RegionMap {
    /// Marks what has been written, or may have been: after each attempt to write, also one that failed.
    @inline(__always)
    func markDirty(_ entry: UnsafeMutablePointer<RegionEntry>, _ first: UInt64, _ count: Int) {
        if !entry.markDirty(first, UInt64(truncatingIfNeeded: count)) { markByRegion(entry, first, count) }
    }

    @inline(never)
    private func markByRegion(_ entry: UnsafeMutablePointer<RegionEntry>, _ first: UInt64, _ count: Int) {
        region(of: entry).markDirty(offset: first - entry.start, count: UInt64(count))
    }

    func region(of entry: UnsafeMutablePointer<RegionEntry>) -> any GuestMemoryRegion {
        regions[entry - table.entries]
    }

    /// A whole transfer, if it lies in one region and nothing stands against it.
    /// - Returns: false where it has to be done in pieces, or does not work; it may be half done.
    @inline(__always)
    func transferAtOnce(_ transfer: Transfer, _ first: UInt64, _ count: Int) -> Bool {
        guard let entry = table.direct(first, UInt64(truncatingIfNeeded: count), isWrite: transfer.isWrite) else {
            return false
        }
        let fault = transfer.perform(at: entry.hostAddress(first), count: count, after: 0)
        if transfer.isWrite { markDirty(entry, first, count) }
        return fault == nil
    }

    /// How far a transfer got in one go.
    enum TransferStep {
        case done(Int)
        /// It cannot go on.
        case stopped(GuestMemoryError.Kind)
        /// The backing has to decide: about so many bytes from an offset in a region on.
        case pageFault(any GuestMemoryRegion, offset: UInt64, count: Int, PageFault.Cause)
    }

    /// The next piece of a transfer, of which `done` bytes are done: as much as one region has and allows.
    func transferPiece(_ transfer: Transfer, _ first: UInt64, _ count: Int, after done: Int) -> TransferStep {
        let address = first + UInt64(done)
        guard let entry = table.entry(at: address) else { return .stopped(.notMapped) }
        if transfer.isWrite, entry.pointee.isReadOnly { return .stopped(.readOnly) }
        let available = Int(min(UInt64(count - done - 1), entry.last - address)) + 1
        guard entry.pointee.host != nil else {
            return .pageFault(region(of: entry), offset: address - entry.start, count: available, .noMapping)
        }
        let permitted = Int(entry.permittedPrefix(address, UInt64(available), isWrite: transfer.isWrite))
        guard permitted > 0 else {
            return .pageFault(region(of: entry), offset: address - entry.start, count: available, .accessBitmap)
        }
        let host = entry.hostAddress(address)
        var bytes = permitted
        while true {
            let fault = transfer.perform(at: host, count: bytes, after: done)
            if transfer.isWrite { markDirty(entry, address, bytes) }
            guard let fault else { return .done(bytes) }
            // What lies before a fault may have been left out, as a copy need not go from front to back: do that again.
            bytes = Int(min(UInt(bytes - 1), fault.address &- UInt(bitPattern: host)))
            guard bytes > 0 else {
                let offset = address - entry.start
                return .pageFault(region(of: entry), offset: offset, count: permitted, .host(fault.cause))
            }
        }
    }
}
