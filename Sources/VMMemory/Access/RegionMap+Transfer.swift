extension RegionMap {
    /// What became of a transfer that was tried at once.
    struct Attempt {
        let isDone: Bool
        /// What it met with; some of it may be done. Nil where it was not tried, for being in several regions or because
        /// something stands against it.
        let fault: TryCopy.Fault?
    }

    /// A whole transfer, if it lies in one region and nothing stands against it.
    @inline(__always)
    func transferAtOnce(_ transfer: Transfer, _ first: UInt64, _ count: Int) -> Attempt {
        let bytes = UInt64(truncatingIfNeeded: count)
        guard let found = table.direct(first, bytes, isWrite: transfer.isWrite) else {
            return Attempt(isDone: false, fault: nil)
        }
        let fault = transfer.perform(at: found.hostAddress(first), count: count, after: 0)
        if transfer.isWrite { found.markDirty(first, bytes) }
        return Attempt(isDone: fault == nil, fault: fault)
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
    /// - Parameter known: the fault of an attempt at it, perhaps with an earlier map.
    func transferPiece(
        _ transfer: Transfer, _ first: UInt64, _ count: Int, after done: Int, knowing known: TryCopy.Fault?
    ) -> TransferStep {
        let address = first + UInt64(done)
        guard let found = table.region(at: address) else { return .stopped(.notMapped) }
        if transfer.isWrite, found.isReadOnly { return .stopped(.readOnly) }
        let available = Int(min(UInt64(count - done - 1), found.last - address)) + 1
        guard found.host != nil else {
            return .pageFault(found.region, offset: address - found.start, count: available, .noMapping)
        }
        let permitted = Int(found.permittedPrefix(address, UInt64(available), isWrite: transfer.isWrite))
        guard permitted > 0 else {
            return .pageFault(found.region, offset: address - found.start, count: available, .accessBitmap)
        }
        let host = found.hostAddress(address)
        var bytes = permitted
        // Of an attempt elsewhere there is nothing to learn. (Taken as known, a fault costs its two microseconds once.)
        var known = known.flatMap { $0.address &- UInt(bitPattern: host) < UInt(bytes) ? $0 : nil }
        while true {
            let fault = known ?? transfer.perform(at: host, count: bytes, after: done)
            known = nil
            if transfer.isWrite { found.markDirty(address, UInt64(bytes)) }
            guard let fault else { return .done(bytes) }
            // What lies before a fault may have been left out, as a copy need not go from front to back: do that again.
            bytes = Int(min(UInt(bytes - 1), fault.address &- UInt(bitPattern: host)))
            guard bytes > 0 else {
                let offset = address - found.start
                return .pageFault(found.region, offset: offset, count: permitted, .host(fault.cause))
            }
        }
    }
}
