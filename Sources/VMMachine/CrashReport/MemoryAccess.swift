import VMAddressSpace

/// A piece of memory that an instruction touches.
struct MemoryAccess: Sendable, Equatable {
    enum Kind: Sendable {
        case read, write
    }

    let segment: CPUSnapshot.SegmentName
    /// In the segment.
    let offset: UInt64
    let linear: UInt64
    /// In bytes, at least 1.
    let count: UInt64
    let kind: Kind
    /// Pushed, popped, or named by RSP or RBP.
    let isStack: Bool
    /// The registers that the address was made of, by number.
    let registers: [Int]

    init(
        _ cpu: CPUSnapshot, _ segment: CPUSnapshot.SegmentName, _ offset: UInt64, count: Int, _ kind: Kind,
        isStack: Bool = false, registers: [Int]
    ) {
        self.segment = segment
        self.offset = offset
        self.linear = cpu.linear(segment, offset)
        self.count = UInt64(clamping: max(count, 1))
        self.kind = kind
        self.isStack = isStack
        self.registers = registers
    }

    /// Whether a page fault on this access can have left `address` in CR2. The sizes of some operands are only roughly
    /// known: a few bytes more count as well, on the same pages.
    func explains(_ address: UInt64) -> Bool {
        let page = address & ~PageSize.size4K.mask
        let isOnPage = pageStarts.contains { $0 & ~PageSize.size4K.mask == page }
        return isOnPage && address &- linear < max(count, 64)
    }

    /// The first address of each page that it reaches into; no instruction reaches into more than two.
    var pageStarts: [UInt64] {
        let last = linear &+ (count - 1)
        let lastPage = last & ~PageSize.size4K.mask
        return lastPage == linear & ~PageSize.size4K.mask ? [linear] : [linear, lastPage]
    }
}
