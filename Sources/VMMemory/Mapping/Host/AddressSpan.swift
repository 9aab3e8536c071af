import Glibc
import SystemPackage
import VMAddressSpace
import VMHost

/// The owner of a run of the process's addresses: whatever is mapped within goes with it.
struct AddressSpan: ~Copyable, @unchecked Sendable {
    // SAFETY: the pointer is only handed out; `deinit` alone uses it, once nobody borrows the value any more.
    let base: UnsafeMutableRawPointer
    let count: Int

    /// Takes over what is mapped at `base`.
    init(owning base: UnsafeMutableRawPointer, count: Int) {
        self.base = base
        self.count = count
    }

    /// Reserves addresses that nobody can access (`PROT_NONE`): they cost no memory and are not counted against the
    /// host's limit on promised memory. There are enough of them for `count` bytes from `firstAddress`, with the same
    /// arguments, and another margin.
    /// - Throws: `system`, where the limit on address space or the address space itself does not suffice.
    init(reserving count: Int, alignment: PageSize, margin: Int) throws(HostMemoryError) {
        let slack = 2 * margin + Int(alignment.bytes - PageSize.size4K.bytes)
        let (total, overflow) = count.addingReportingOverflow(slack)
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard !overflow, let base = mmap(nil, total, PROT_NONE, flags, -1, 0), base != MAP_FAILED else {
            let extent = HostMemoryError.Extent(offset: 0, count: UInt64(count))
            throw HostMemoryError(
                .reserve, extent, overflow ? .system(.noMemory) : HostMemoryError.Reason(mapping: .last))
        }
        self.base = base
        self.count = total
    }

    /// The first multiple of `alignment` that leaves a margin below.
    func firstAddress(alignment: PageSize, margin: Int) -> UnsafeMutableRawPointer {
        let mask = UInt(alignment.mask)
        let first = UInt(bitPattern: base) + UInt(margin)
        return base + (margin + Int((mask &+ 1 &- (first & mask)) & mask))
    }

    deinit {
        munmap(base, count)
    }

    /// Makes a part of the span reserved again, dropping what is mapped there, in one step: no other thread's mmap(2)
    /// can get in between.
    func reserve(_ pages: HostPages) throws(Errno) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        guard mmap(pages.base, pages.count, PROT_NONE, flags, -1, 0) != MAP_FAILED else { throw .last }
    }

    /// Reserves a part of the span where the kernel has left a hole.
    /// - Returns: false where there was none.
    func reserveHole(_ pages: HostPages) -> Bool {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE
        let result = mmap(pages.base, pages.count, PROT_NONE, flags, -1, 0)
        if result == pages.base { return true }
        // A kernel before 4.17 takes the address as a wish.
        if let result, result != MAP_FAILED { munmap(result, pages.count) }
        return false
    }
}
