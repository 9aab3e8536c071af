import CKVM
import Glibc
import SystemPackage
import VMAddressSpace

/// The owner of the mapping of a vCPU's dirty ring, into which the kernel writes which pages the vCPU has written, and the
/// place in it up to where it has been read (KVM API document, section 8.29, `KVM_CAP_DIRTY_LOG_RING`).
///
/// One thread at a time may read it; the vCPU may run meanwhile. Processors that log pages by themselves hold some back
/// until they leave the guest, so that only what was written before the vCPU's last exit is certain to be there.
///
/// A vCPU is to exit before its ring is full. A kernel that fails to see to that, as some do for guest code that they emulate,
/// goes on at the ring's start, over pages that nobody has read, and is from then on ahead of whoever reads. Both is noticed:
/// that pages were lost is said (`Batch.isComplete`), and the entries that were passed over are given back.
public struct DirtyRing: ~Copyable, @unchecked Sendable {
    // SAFETY: the entries are mapped until `deinit`. Kernel and monitor write them by turns, as atomic flags say; reading is
    // mutating, so that it has the value to itself.
    private let entries: UnsafeMutablePointer<kvm_dirty_gfn>
    /// How many entries there are: a power of two.
    public let entryCount: Int
    /// Counts on and on; its lowest bits are where the next entry is.
    private var position: UInt32 = 0
    /// Whether the kernel may be ahead.
    private var hasOverflowed = false

    /// The fewest that every host allows: the kernel keeps 64 free, and with a processor that logs pages by itself as many
    /// more as that can hold back, 512.
    public static let minimumEntryCount = 1024
    /// The most that any kernel allows (`KVM_DIRTY_RING_MAX_ENTRIES`).
    public static let maximumEntryCount = 65_536
    /// The size of one, in bytes.
    public static let entrySize = MemoryLayout<kvm_dirty_gfn>.size

    /// What was taken out of a ring at once.
    public struct Batch: Hashable, Sendable {
        /// How many pages.
        public var pageCount = 0
        /// How many entries `resetDirtyRings` has to reset.
        public var entryCount = 0
        /// False where pages were lost. Any may have been written; and those that were are not logged again, until they are
        /// protected by ending the log of their slots and beginning it anew.
        public var isComplete = true
    }

    /// - Parameter mapping: of the entries, which from now on belongs to the value.
    init(mapping: UnsafeMutableRawPointer, entryCount: Int) {
        entries = mapping.bindMemory(to: kvm_dirty_gfn.self, capacity: entryCount)
        self.entryCount = entryCount
    }

    deinit {
        munmap(entries, entryCount * Self.entrySize)
    }

    /// Takes out the pages that are there. The kernel logs them anew once the rings have been reset.
    mutating func take(_ body: (MemorySlotID, _ page: UInt64) -> Void) -> Batch {
        var batch = Batch()
        // No more than there is room for: a guest that goes on writing must not keep anybody here.
        while batch.entryCount < entryCount {
            var slot: UInt32 = 0
            var page: UInt64 = 0
            guard ckvm_dirty_gfn_take(entry(0), &slot, &page) != 0 else {
                guard hasOverflowed, case let skipped = skip(upTo: entryCount - batch.entryCount), skipped > 0 else {
                    break
                }
                batch.entryCount += skipped
                continue
            }
            position &+= 1
            batch.pageCount += 1
            batch.entryCount += 1
            // The upper half is the address space, of which there is one but for system management mode.
            body(MemorySlotID(rawValue: slot & 0xffff), page)
        }
        if batch.pageCount == entryCount {
            batch.isComplete = false
            hasOverflowed = true
        }
        return batch
    }

    /// Gives back the entries that the kernel has passed over, if it has filled in one after them.
    /// - Returns: how many.
    private mutating func skip(upTo limit: Int) -> Int {
        // The first is looked at again, for it is filled in before those after it: a vCPU may just have gone on.
        guard let count = (0..<limit).first(where: { ckvm_dirty_gfn_is_dirty(entry($0)) != 0 }), count > 0,
            ckvm_dirty_gfn_is_dirty(entry(0)) == 0
        else { return 0 }
        for index in 0..<count { ckvm_dirty_gfn_give_back(entry(index)) }
        position &+= UInt32(count)
        return count
    }

    /// Gives entries back that nothing is in, of a ring that the kernel takes for full all the same: it ran over by so much that
    /// it is nearly a round ahead. The kernel has then more than a quarter of the entries to be reset.
    /// - Returns: how many there are to be reset.
    public mutating func giveBackSome() -> Int {
        let count = entryCount / 4
        for index in 0..<count { ckvm_dirty_gfn_give_back(entry(index)) }
        position &+= UInt32(count)
        hasOverflowed = true
        return count
    }

    private func entry(_ distance: Int) -> UnsafeMutablePointer<kvm_dirty_gfn> {
        entries + (Int(position) &+ distance) & (entryCount &- 1)
    }
}

extension VCPU {
    /// Maps its dirty ring.
    /// - Parameter entryCount: what the VM's rings were made with.
    public borrowing func mapDirtyRing(entryCount: Int) throws(KVMError) -> DirtyRing {
        let mapped = mmap(
            nil, entryCount * DirtyRing.entrySize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.rawValue,
            Int(CKVM_DIRTY_RING_PAGE) * Int(PageSize.size4K.bytes))
        guard let mapped, mapped != MAP_FAILED else {
            throw .call(.mapDirtyRing, Errno(rawValue: Glibc.errno), about: "vCPU \(id)")
        }
        return DirtyRing(mapping: mapped, entryCount: entryCount)
    }
}
