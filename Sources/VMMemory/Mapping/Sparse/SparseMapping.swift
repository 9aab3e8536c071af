import VMAddressSpace
import VMHost

/// One reservation of the process's addresses, such as a guest's whole physical space, in which memory is mapped,
/// changed and unmapped in place. An offset in it has the same address for as long as it lives, and what nothing is
/// mapped at faults.
///
/// It is a class because it has several users by nature (the region map that changes it, the devices and partitions
/// that reach through its addresses), and the addresses must stay reserved until the last is gone.
///
/// **Changes** (`map`, `unmap`, `move`, `protect`, `decommit`) are taken one after another. Each replaces what is there in one
/// step of the kernel's: other threads see the old pages or the new, and at no time are there addresses in the
/// reservation that an mmap(2) of another thread could be given. All that can be checked is checked before anything
/// changes; a change that fails leaves in force what was, except where it says otherwise.
///
/// (Before Linux 6.12 the kernel can fail half-way when it runs out of memory for its own records. The addresses are then
/// reserved anew; should another thread have been given them in between, they are lost to this reservation.)
///
/// No change marks a dirty bitmap. Where what the guest sees becomes other than it was (`unmap`, `move`, `decommit`, a
/// replacing `map`), whoever tracks the memory marks those pages after the change.
///
/// **Accesses** through `baseAddress` take no lock. An access to what is not mapped, or not so protected, is a
/// `SIGSEGV`; one to a part of a file that was cut off since it was mapped is a `SIGBUS`.
///
/// **Locks** keep pages from changes that would take away what their user counts on; see `PageLocks`.
///
/// Threads: any, several at once.
public final class SparseMapping: @unchecked Sendable {
    // SAFETY: the pointer is to addresses that only the end of `span` gives back, which comes when nobody refers to the
    // object any more. The table of pieces is only touched under its monitor. What two threads store through the
    // pointer races just as two guest CPUs race on RAM.
    /// The address of offset zero: a multiple of 2 MiB or 1 GiB where the reservation is as large as that, so that huge
    /// pages of the guest can be huge pages of the host.
    public let baseAddress: UnsafeMutableRawPointer
    /// In bytes.
    public let count: Int
    let span: AddressSpan
    let table = Monitor(MappedPieces())
    let locks = PageLocks()

    /// Reserves `byteCount` bytes, which cost nothing until something is mapped there. A page right below and one right
    /// above are reserved with them, and never mapped.
    ///
    /// - Parameter byteCount: a multiple of 4 KiB; x86-64 has 2^47 bytes in all.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `tooManyMappings`; `system` with `ENOMEM` where there are not that
    ///   many addresses in one run.
    public init(byteCount: UInt64) throws(HostMemoryError) {
        let extent = try PageExtent(.reserve, offset: 0, count: byteCount, limit: UInt64(Int.max))
        let margin = Int(PageSize.size4K.bytes)
        let alignment = PageSize.largest(within: byteCount)
        let span = try AddressSpan(reserving: extent.count, alignment: alignment, margin: margin)
        self.baseAddress = span.firstAddress(alignment: alignment, margin: margin)
        self.count = extent.count
        self.span = span
    }

    /// What is mapped now, ascending. Neighbours that continue each other, in the same backing and with the same
    /// protection, are one piece however they were mapped.
    public var pieces: [MappedPiece] {
        table.withLock { $0.all }
    }

    /// What is mapped in a range now, cut to it, ascending.
    /// - Parameter range: in bytes from the start of the reservation.
    public func pieces(in range: Range<UInt64>) -> [MappedPiece] {
        table.withLock { $0.parts(in: range) }
    }

    func extent(
        _ operation: HostMemoryError.Operation, _ offset: UInt64, _ count: UInt64, pageSize: PageSize = .size4K
    ) throws(HostMemoryError) -> PageExtent {
        try PageExtent(operation, offset: offset, count: count, limit: UInt64(self.count), pageSize: pageSize)
    }

    func pages(_ range: Range<UInt64>) -> HostPages {
        HostPages(base: baseAddress + Int(range.lowerBound), count: range.count)
    }
}

extension PageSize {
    fileprivate static func largest(within byteCount: UInt64) -> PageSize {
        byteCount >= PageSize.size1G.bytes ? .size1G : byteCount >= PageSize.size2M.bytes ? .size2M : .size4K
    }
}
