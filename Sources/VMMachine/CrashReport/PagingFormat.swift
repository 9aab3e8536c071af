import VMAddressSpace

/// The shape of the page tables in each paging mode (Intel SDM volume 3, tables 5-1 and 5-4 to 5-20).
struct PagingFormat: Sendable {
    let levels: [PageWalk.Level]
    /// In bytes.
    let entrySize: Int
    let isLong: Bool
    let hasNX: Bool
    private let allows4MPages: Bool
    private let physicalAddressBits: Int

    init(_ cpu: CPUSnapshot) {
        isLong = cpu.isLongModeActive
        let isPAE = cpu.special.cr4 & 1 << 5 != 0
        hasNX = cpu.special.efer & 1 << 11 != 0
        allows4MPages = cpu.special.cr4 & 1 << 4 != 0
        entrySize = isLong || isPAE ? 8 : 4
        physicalAddressBits = min(max(cpu.physicalAddressBits, 32), 52)
        if isLong {
            let four: [PageWalk.Level] = [.pml4, .pdpt, .directory, .table]
            levels = cpu.special.cr4 & 1 << 12 != 0 ? [.pml5] + four : four
        } else {
            levels = isPAE ? [.pdpt, .directory, .table] : [.directory, .table]
        }
    }

    var bitsPerLevel: UInt64 { entrySize == 8 ? 9 : 10 }
    /// Bits 51...12 of an entry, or 31...12 in the old format.
    var tableMask: UInt64 { entrySize == 8 ? 0x000f_ffff_ffff_f000 : 0xffff_f000 }
    var rootMask: UInt64 { isLong ? tableMask : entrySize == 8 ? 0xffff_ffe0 : 0xffff_f000 }

    func index(_ linear: UInt64, shift: UInt64, _ level: PageWalk.Level) -> UInt64 {
        let address = isLong ? linear : linear & 0xffff_ffff
        let mask: UInt64 = level == .pdpt && !isLong ? 3 : 1 << bitsPerLevel - 1
        return address >> shift & mask
    }

    /// The PDPT entries of 32-bit PAE paging have no permission bits.
    func hasPermissions(_ level: PageWalk.Level) -> Bool {
        isLong || level != .pdpt
    }

    func isLeaf(_ entry: UInt64, _ level: PageWalk.Level) -> Bool {
        level == .table || isLargePage(entry, level)
    }

    func isLargePage(_ entry: UInt64, _ level: PageWalk.Level) -> Bool {
        guard entry & 1 << 7 != 0 else { return false }
        return switch level {
        case .directory: entrySize == 8 || allows4MPages
        case .pdpt: isLong
        case .pml5, .pml4, .table: false
        }
    }

    func frame(of entry: UInt64, size: UInt64) -> UInt64 {
        guard entrySize == 4, size > PageSize.size4K.bytes else { return entry & tableMask & ~(size - 1) }
        // 4 MiB pages keep address bits 39...32 in bits 20...13 (PSE-36).
        return entry & 0xffc0_0000 | (entry >> 13 & 0xff) << 32
    }

    /// The highest bit of a present entry that is set but must not be.
    func reservedBit(in entry: UInt64, _ level: PageWalk.Level) -> Int? {
        let wrong = entry & reservedMask(level, isLarge: isLargePage(entry, level))
        return wrong == 0 ? nil : 63 - wrong.leadingZeroBitCount
    }

    private func reservedMask(_ level: PageWalk.Level, isLarge: Bool) -> UInt64 {
        guard entrySize == 8 else { return isLarge ? 1 << 21 : 0 }
        var mask: UInt64 = 0
        for bit in physicalAddressBits..<52 { mask |= 1 << UInt64(bit) }
        // 32-bit PAE paging knows nothing between the address and the no-execute bit; long mode ignores those bits.
        if !isLong { mask |= 0x7ff0_0000_0000_0000 }
        if !hasNX || !hasPermissions(level) { mask |= 1 << 63 }
        if !isLong, level == .pdpt { mask |= 0x1e6 }
        if level == .pml5 || level == .pml4 { mask |= 1 << 7 }
        // A large page starts at a multiple of its size; bit 12 is a cache control bit there.
        if isLarge { mask |= level == .pdpt ? 0x3fff_e000 : 0x001f_e000 }
        return mask
    }

    /// What it means that this bit is set.
    func meaning(ofReservedBit bit: Int, in entry: UInt64, _ level: PageWalk.Level) -> String {
        if bit == 63, hasPermissions(level) { return "no-execute, which takes EFER.NXE" }
        if bit >= physicalAddressBits, bit < 52 {
            return "an address bit, of which this processor has \(physicalAddressBits)"
        }
        if bit == 7, isLong { return "a large page, which this level cannot have" }
        if bit >= 13, bit < 30, isLargePage(entry, level) {
            return "the large page's address is not a multiple of its size"
        }
        return "which must be clear"
    }
}
