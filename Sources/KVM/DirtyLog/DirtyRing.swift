import CKVM
import Glibc
import SystemPackage
import VMAddressSpace

/// The owner of the mapping of a vCPU's dirty ring, into which the kernel writes which pages the vCPU has written, and the
/// place in it up to where it has been read (KVM API document, section 8.29, `KVM_CAP_DIRTY_LOG_RING`).
///
/// One thread at a time may read it; the vCPU may run meanwhile. Processors that log pages by themselves hold some back
/// until they leave the guest, so that only what was written before the vCPU's last exit is certain to be there.
public struct DirtyRing: ~Copyable, @unchecked Sendable {
    // SAFETY: the entries are mapped until `deinit`. Kernel and monitor write them by turns, as atomic flags say; reading is
    // mutating, so that it has the value to itself.
    private let entries: UnsafeMutablePointer<kvm_dirty_gfn>
    /// How many entries there are: a power of two.
    public let entryCount: Int
    /// Counts on and on; its lowest bits are where the next entry is.
    private var position: UInt32 = 0

    /// The fewest that every host allows: the kernel keeps 64 free, and with a processor that logs pages by itself as many
    /// more as that can hold back, 512.
    public static let minimumEntryCount = 1024
    /// The most that any kernel allows (`KVM_DIRTY_RING_MAX_ENTRIES`).
    public static let maximumEntryCount = 65_536
    /// The size of one, in bytes.
    public static let entrySize = MemoryLayout<kvm_dirty_gfn>.size

    init(vcpu: UInt32, descriptor: Int32, entryCount: Int) throws(KVMError) {
        let mapped = mmap(
            nil, entryCount * Self.entrySize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
            Int(CKVM_DIRTY_RING_PAGE) * Int(PageSize.size4K.bytes))
        guard let mapped, mapped != MAP_FAILED else {
            throw .call(.mapDirtyRing, Errno(rawValue: Glibc.errno), about: "vCPU \(vcpu)")
        }
        entries = mapped.bindMemory(to: kvm_dirty_gfn.self, capacity: entryCount)
        self.entryCount = entryCount
    }

    deinit {
        munmap(entries, entryCount * Self.entrySize)
    }

    /// Takes the next page out, if there is one. The kernel logs it anew once the rings have been reset.
    @inline(__always)
    mutating func next() -> (slot: MemorySlotID, page: UInt64)? {
        var slot: UInt32 = 0
        var page: UInt64 = 0
        let entry = entries + Int(position & UInt32(truncatingIfNeeded: entryCount &- 1))
        guard ckvm_dirty_gfn_take(entry, &slot, &page) != 0 else { return nil }
        position &+= 1
        // The upper half is the address space, of which there is one but for system management mode.
        return (MemorySlotID(rawValue: slot & 0xffff), page)
    }
}

extension VCPU {
    /// Maps its dirty ring.
    /// - Parameter entryCount: what the VM's rings were made with.
    public borrowing func mapDirtyRing(entryCount: Int) throws(KVMError) -> DirtyRing {
        try DirtyRing(vcpu: id, descriptor: descriptor.rawValue, entryCount: entryCount)
    }
}
