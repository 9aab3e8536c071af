import CKVM
import SystemPackage
import VMAddressSpace
import VMHost

/// Dirty rings: one for each vCPU, instead of bitmaps for slots (KVM API document, section 8.29).
extension VirtualMachine {
    /// Makes the VM log dirty pages to rings. Only before it has vCPUs, and for good: it has no bitmaps then.
    /// - Parameters:
    ///   - entryCount: of each ring: a power of two, from `DirtyRing.minimumEntryCount` up to what the host's
    ///     `CapabilitySource.maximumDirtyRingEntryCount` says.
    ///   - hasAcquireRelease: whether the host has `Capability.dirtyRingAcquireRelease`, the newer name.
    public func enableDirtyRings(entryCount: Int, hasAcquireRelease: Bool) throws(KVMError) {
        let (byteCount, overflow) = UInt64(clamping: entryCount).multipliedReportingOverflow(
            by: UInt64(DirtyRing.entrySize))
        try enable(
            hasAcquireRelease ? .dirtyRingAcquireRelease : .dirtyRing, argument: overflow ? .max : byteCount)
    }

    /// Takes the pages out of a ring that are there, and gives the ranges they make up in the order they were logged in, pages
    /// that follow one another together. `resetDirtyRings` has to come next, and only then what is to be done with the pages:
    /// until it does, further writes to them are not logged.
    /// - Parameter ranges: appended to. A page whose slot is gone by now is left out.
    public func takeDirtyPages(from ring: inout DirtyRing, into ranges: inout [MemoryRange]) -> DirtyRing.Batch {
        // With the table locked: a page can be logged only once its slot is in the table, or about to be.
        slots.withLock { table in
            var collector = DirtyRangeCollector()
            let batch = ring.take { id, page in collector.add(page, of: id, table, to: &ranges) }
            collector.end(&ranges)
            return batch
        }
    }

    /// Has the pages that were taken out of rings protected against writing, so that they are logged anew, and makes room
    /// for others. Any thread may; one call is made after another.
    /// - Parameter count: how many entries are to be reset, those of all rings together.
    /// - Returns: how many were reset; and whether all pages of theirs are certain to be protected. Otherwise, writes to some
    ///   may not be logged: as after `DirtyRing.Batch.isComplete`. (What stops a process at the very end of a call, and
    ///   cannot be blocked, is not noticed.)
    /// - Throws: `KVMError.call`; some may have been reset then.
    public func resetDirtyRings(count: Int) throws(KVMError) -> (count: Int, isComplete: Bool) {
        var rest = count
        var calls = 0
        while rest > 0, calls < Self.resetCallLimit {
            calls += 1
            do throws(KVMError) {
                // A signal can end the call early (seen with Linux 6.18), and pages of entries that it says it has reset were
                // then found to be writable.
                rest -= try SignalMask.withSignalsBlocked { () throws(KVMError) in
                    try descriptor.call(.resetDirtyRings, CKVM_RESET_DIRTY_RINGS)
                }
            } catch .call(_, .interrupted, _) {
                continue
            }
        }
        return (count - rest, calls <= 1 && rest == 0)
    }

    /// How often to try; what cannot be blocked, such as being stopped, does not come as often.
    private static let resetCallLimit = 100
}

extension CapabilitySource where Self: ~Copyable {
    /// How many entries a dirty ring can have at most; 0 where there are no rings.
    public var maximumDirtyRingEntryCount: Int {
        max(value(of: .dirtyRingAcquireRelease), value(of: .dirtyRing)) / DirtyRing.entrySize
    }
}

/// Puts pages together that follow one another in the same slot.
struct DirtyRangeCollector {
    private var id: MemorySlotID?
    private var slot: MemorySlot?
    /// Page numbers of the slot, which it has.
    private var pages: Range<UInt64> = 0..<0

    mutating func add(_ page: UInt64, of id: MemorySlotID, _ table: MemorySlotTable, to ranges: inout [MemoryRange]) {
        if id != self.id {
            end(&ranges)
            self.id = id
            slot = table[id]
        }
        // The kernel's number is below the slot's length; as it stands in memory that the process can write, it is checked.
        guard let slot, page < slot.range.pageCount else { return }
        if page != pages.upperBound {
            end(&ranges)
            pages = page..<page
        }
        pages = pages.lowerBound..<(page + 1)
    }

    mutating func end(_ ranges: inout [MemoryRange]) {
        defer { pages = 0..<0 }
        guard let slot, !pages.isEmpty else { return }
        let start = slot.range.start.rawValue
        ranges.append(
            MemoryRange(
                uncheckedFrom: GuestAddress(start + pages.lowerBound << PageSize.size4K.shift),
                through: GuestAddress(start + (pages.upperBound << PageSize.size4K.shift - 1))))
    }
}
