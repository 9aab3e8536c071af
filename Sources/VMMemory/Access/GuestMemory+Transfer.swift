import VMAddressSpace

/// The one way of every copy and fill: a fast one for what lies in one region and goes well, a careful one for all else.
extension GuestMemory {
    /// - Parameter count: of bytes; 0 or more.
    @inline(__always)
    func transfer(_ transfer: Transfer, _ address: GuestAddress, _ count: Int) throws(GuestMemoryError) {
        var fault: TryCopy.Fault?
        if let first = start(address, UInt64(truncatingIfNeeded: count)) {
            let attempt = transferAtOnce(transfer, first, count)
            if attempt.isDone { return }
            fault = attempt.fault
        }
        try transferWithCare(transfer, address, count, after: fault)
    }

    @inline(__always)
    func transferAtOnce(_ transfer: Transfer, _ first: UInt64, _ count: Int) -> RegionMap.Attempt {
        map.memory().withMap { $0.transferAtOnce(transfer, first, count) }
    }

    /// - Parameter fault: what an attempt at it has met with.
    @inline(never)
    func transferWithCare(
        _ transfer: Transfer, _ address: GuestAddress, _ count: Int, after fault: TryCopy.Fault?
    ) throws(GuestMemoryError) {
        guard count > 0 else { return }
        let first = try requireMemory(transfer.operation, address, UInt64(count))
        try transferInPieces(transfer, Extent(first, count), after: fault)
    }

    /// The bytes of an access, all of them within the bounds of the handle.
    struct Extent {
        /// The guest-physical address of the first one.
        let first: UInt64
        /// How many there are to be accessed: above 0.
        let count: Int
        /// How many were asked for.
        let asked: UInt64

        init(_ first: UInt64, _ count: Int, asked: Int? = nil) {
            self.first = first
            self.count = count
            self.asked = UInt64(asked ?? count)
        }
    }

    /// - Parameter fault: what an attempt at it has met with.
    func transferInPieces(
        _ transfer: Transfer, _ extent: Extent, after fault: TryCopy.Fault?
    ) throws(GuestMemoryError) {
        var done = 0
        var known = fault
        while done < extent.count {
            let step = map.memory().withMap { map in
                map.transferPiece(transfer, extent.first, extent.count, after: done, knowing: known)
            }
            known = nil
            switch step {
            case .done(let bytes):
                done += bytes
            case .stopped(let kind):
                throw error(transfer.operation, extent, kind, after: done)
            case .pageFault(let region, let offset, let bytes, let cause):
                do throws(Refusal) {
                    done += try resolve(cause, of: transfer, region, offset, bytes, after: done)
                } catch {
                    throw self.error(transfer.operation, extent, error.kind, after: done)
                }
            }
        }
    }

    /// Why a page fault was not resolved.
    private struct Refusal: Error {
        let kind: GuestMemoryError.Kind
    }

    /// Lets the backing decide about a page fault. No snapshot is held here.
    /// - Parameter bytes: how many of the bytes to go the region has.
    /// - Returns: how many bytes are done by it.
    private func resolve(
        _ cause: PageFault.Cause, of transfer: Transfer, _ region: any GuestMemoryRegion, _ offset: UInt64,
        _ bytes: Int, after done: Int
    ) throws(Refusal) -> Int {
        let fault = PageFault(isWrite: transfer.isWrite, cause: cause)
        let inBacking = region.accessOffset + offset
        switch region.access.pageFault(offset: inBacking, count: UInt64(bytes), fault) {
        case .retry:
            return 0
        case .fail(let reason):
            throw Refusal(kind: reason.map { .backing($0) } ?? fault.failure)
        case .fallback:
            // A page's end is where the reason for the fallback may end too.
            let toPageEnd = Int(PageSize.size4K.bytes - inBacking & PageSize.size4K.mask)
            let part = cause == .noMapping ? bytes : min(bytes, toPageEnd)
            do throws(GuestMemoryBackingError) {
                // Marked also where it throws: some of it may be written.
                defer { if transfer.isWrite { region.markDirty(offset: offset, count: UInt64(part)) } }
                try transfer.fallBack(to: region.access, offset: inBacking, count: part, after: done)
                return part
            } catch {
                throw Refusal(kind: .backing(error))
            }
        }
    }

    private func error(
        _ operation: GuestMemoryError.Operation, _ extent: Extent, _ kind: GuestMemoryError.Kind, after done: Int
    ) -> GuestMemoryError {
        error(
            operation, extent.first, extent.asked, kind, at: extent.first + UInt64(done), completed: UInt64(done))
    }
}

extension PageFault {
    /// What an access fails with where the backing gives no reason of its own.
    var failure: GuestMemoryError.Kind {
        switch cause {
        case .noMapping: .noHostAddress
        case .accessBitmap: .notPermitted
        case .host(let fault): .fault(fault)
        }
    }
}
