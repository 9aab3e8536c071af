import VMAddressSpace

/// Moving memory with its contents.
extension SparseMapping {
    /// Moves the pages of a range to another reservation, or to other offsets of this one, where nothing is mapped. They
    /// keep their contents, what they come from (of a file mapped copy-on-write, the copies as well) and, where no other is
    /// given, their protection. The range that they leave is reserved again.
    ///
    /// Nobody finds other contents at either place than the pages', or a page at both: for a moment, an access to either
    /// faults. It is a matter of the page tables alone, and takes about as long as unmapping; of pages that nobody uses, and
    /// where both offsets leave the same rest by 2 MiB, next to nothing.
    ///
    /// - Parameters:
    ///   - count: in bytes; both offsets and it are multiples of 4096, or of the huge pages' size where there are some.
    ///   - protection: for all of the pages; nil for what each has.
    ///   - areUnused: whether nobody accesses either place meanwhile: that is then not made sure of. What is written all the
    ///     same may be lost.
    ///   - timeout: how long locked pages are waited for.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`; `notMapped` where nothing is mapped in some of the range; `locked`;
    ///   `fileIsReadOnly` where writes would go to a file that is; `tooManyMappings`; `system` with what mremap(2) says. The
    ///   operation is `moveTo` where the range to move to is at fault, `alreadyMapped` above all, and `move` elsewhere.
    ///   Nothing has changed then, but for one case: `stranded`. The kernel could neither move all pages nor move those
    ///   back that it had moved (it lacks memory for its own records, above all). Those are at the other place, as `pieces`
    ///   says, and no content is lost.
    ///
    /// (Before Linux 5.7 for anonymous memory, 5.13 for files, and always for huge pages, the kernel gives up the addresses
    /// that pages leave; they are reserved anew at once. Should another thread have been given them in between, they are
    /// lost to this reservation.)
    public func move(
        offset: UInt64, count: UInt64, to other: SparseMapping, at otherOffset: UInt64,
        protection: MemoryProtection? = nil, areUnused: Bool = false, waitingUpTo timeout: Duration = .zero
    ) throws(HostMemoryError) {
        try move(
            offset: offset, count: count, to: other, at: otherOffset, protection: protection, areUnused: areUnused,
            waitingUpTo: timeout, support: .ofKernel)
    }

    /// - Parameter support: for tests, of an older kernel.
    func move(
        offset: UInt64, count: UInt64, to other: SparseMapping, at otherOffset: UInt64,
        protection: MemoryProtection? = nil, areUnused: Bool = false, waitingUpTo timeout: Duration = .zero,
        support: MoveSupport
    ) throws(HostMemoryError) {
        let relocation = Relocation(
            from: self, try extent(.move, offset, count), to: other, try other.extent(.moveTo, otherOffset, count),
            protection, areUnused: areUnused, support)
        try retryWhileLocked(relocation.sourceExtent, .move, waitingUpTo: timeout) { () throws(HostMemoryError) in
            try relocation.attempt()
        }
    }
}
