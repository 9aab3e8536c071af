/// How the processor translates one linear address: each table entry it reads, and where that leads. Source: Intel SDM
/// volume 3, chapter 5, "Paging". Nothing is changed: accessed and dirty bits stay as they are.
struct PageWalk: Sendable {
    struct Step: Sendable {
        let level: Level
        /// The guest-physical address of the entry.
        let address: UInt64
        let index: UInt64
        let entry: UInt64
    }

    enum Level: String, Sendable {
        case pml5 = "PML5"
        case pml4 = "PML4"
        case pdpt = "PDPT"
        case directory = "PD"
        case table = "PT"
    }

    enum Result: Sendable, Equatable {
        /// The guest-physical address, and the size of the page it is in.
        case mapped(physical: UInt64, pageSize: UInt64)
        case notPresent(Level)
        /// The entry of this level would be outside guest memory.
        case tableOutsideMemory(Level, address: UInt64)
        case nonCanonical
    }

    let linear: UInt64
    private(set) var steps: [Step] = []
    private(set) var result: Result = .nonCanonical
    /// Whether every level lets CPL 3 in, lets anyone write, and lets anyone execute.
    private(set) var isUser = true
    private(set) var isWritable = true
    private(set) var isExecutable = true

    /// - Parameter load: reads a little-endian number of 4 or 8 bytes from guest-physical memory; nil where there is
    ///   none.
    init(_ linear: UInt64, cpu: CPUSnapshot, load: (_ address: UInt64, _ size: Int) -> UInt64?) {
        self.linear = linear
        guard cpu.isPagingOn else {
            result = .mapped(physical: linear, pageSize: 0)
            return
        }
        guard cpu.isCanonical(linear) else { return }
        walk(cpu, load)
    }

    private mutating func walk(_ cpu: CPUSnapshot, _ load: (UInt64, Int) -> UInt64?) {
        let format = Format(cpu)
        var table = cpu.special.cr3 & format.rootMask
        for (depth, level) in format.levels.enumerated() {
            let shift = 12 + format.bitsPerLevel * UInt64(format.levels.count - 1 - depth)
            let index =
                (linear & format.linearMask) >> shift & (level == .pdpt && !format.isLong ? 3 : format.indexMask)
            let address = table &+ index * UInt64(format.entrySize)
            guard let entry = load(address, format.entrySize) else {
                result = .tableOutsideMemory(level, address: address)
                return
            }
            steps.append(Step(level: level, address: address, index: index, entry: entry))
            guard entry & 1 != 0 else {
                result = .notPresent(level)
                return
            }
            // The PDPT entries of 32-bit PAE paging have no permission bits.
            if format.isLong || level != .pdpt { restrict(entry, format) }
            let isLeaf = level == .table || (entry & 1 << 7 != 0 && format.allowsLargePage(level))
            if isLeaf {
                let size = UInt64(1) << shift
                let frame = format.frame(of: entry, size: size)
                result = .mapped(physical: frame | linear & (size - 1), pageSize: size)
                return
            }
            table = entry & format.tableMask
        }
    }

    private mutating func restrict(_ entry: UInt64, _ format: Format) {
        isWritable = isWritable && entry & 1 << 1 != 0
        isUser = isUser && entry & 1 << 2 != 0
        isExecutable = isExecutable && !(format.hasNX && entry & 1 << 63 != 0)
    }

    /// The shape of the tables in each paging mode.
    private struct Format {
        let levels: [Level]
        let entrySize: Int
        let isLong: Bool
        let hasNX: Bool
        let allows4MPages: Bool

        init(_ cpu: CPUSnapshot) {
            isLong = cpu.isLongModeActive
            let isPAE = cpu.special.cr4 & 1 << 5 != 0
            hasNX = cpu.special.efer & 1 << 11 != 0
            allows4MPages = cpu.special.cr4 & 1 << 4 != 0
            entrySize = isLong || isPAE ? 8 : 4
            if isLong {
                let four: [Level] = [.pml4, .pdpt, .directory, .table]
                levels = cpu.special.cr4 & 1 << 12 != 0 ? [.pml5] + four : four
            } else {
                levels = isPAE ? [.pdpt, .directory, .table] : [.directory, .table]
            }
        }

        var bitsPerLevel: UInt64 { entrySize == 8 ? 9 : 10 }
        var indexMask: UInt64 { 1 << bitsPerLevel - 1 }
        var linearMask: UInt64 { isLong ? .max : 0xffff_ffff }
        /// Bits 51...12 of an entry, or 31...12 in the old format.
        var tableMask: UInt64 { entrySize == 8 ? 0x000f_ffff_ffff_f000 : 0xffff_f000 }
        var rootMask: UInt64 { isLong ? tableMask : entrySize == 8 ? 0xffff_ffe0 : 0xffff_f000 }

        func allowsLargePage(_ level: Level) -> Bool {
            switch level {
            case .directory: entrySize == 8 || allows4MPages
            case .pdpt: isLong
            case .pml5, .pml4, .table: false
            }
        }

        func frame(of entry: UInt64, size: UInt64) -> UInt64 {
            guard entrySize == 4, size > 4096 else { return entry & tableMask & ~(size - 1) }
            // 4 MiB pages keep address bits 39...32 in bits 20...13 (PSE-36).
            return entry & 0xffc0_0000 | (entry >> 13 & 0xff) << 32
        }
    }
}
