import KVM
import VMAddressSpace

/// Where RAM is in the guest-physical space of a PC: from 0 up to the hole below 4 GiB that belongs to devices and
/// the APICs, and the rest from 4 GiB up.
public enum RAMLayout {
    /// Where the hole begins: RAM of up to this many bytes is in one piece.
    public static let holeStart: UInt64 = 3 << 30
    /// Where RAM goes on.
    public static let holeEnd: UInt64 = 4 << 30

    /// The most that one memory slot can hold, in bytes.
    private static let largestSlot = MemorySlot.maximumPageCount << PageSize.size4K.shift

    /// The ranges of `size` bytes of RAM, ascending; a part of a page at the end is left out.
    public static func ranges(size: UInt64) -> [MemoryRange] {
        guard let low = pages(from: 0, min(size, holeStart)) else { return [] }
        guard size > holeStart, let high = pages(from: holeEnd, size - holeStart) else { return [low] }
        return [low, high]
    }

    private static func pages(from start: UInt64, _ count: UInt64) -> MemoryRange? {
        AddressRange(start: GuestAddress(start), count: count)?.largestSubrange(alignedTo: .size4K)
    }

    /// The most RAM that fits a guest-physical space of `bits` address bits.
    public static func largestSize(physicalAddressBits bits: Int) -> UInt64 {
        let space = UInt64(1) << UInt64(min(max(bits, 32), 63))
        guard space > holeEnd else { return holeStart }
        return holeStart + min(space - holeEnd, largestSlot)
    }
}
