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
        /// A bit of this level's entry is set that must be clear: no access succeeds (Intel SDM volume 3, section 5.7).
        case reservedBit(Level, bit: Int)
        /// The entry of this level would be outside guest memory.
        case tableOutsideMemory(Level, address: UInt64)
        case nonCanonical
    }

    let linear: UInt64
    let format: PagingFormat
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
        format = PagingFormat(cpu)
        guard cpu.isPagingOn else {
            result = .mapped(physical: linear, pageSize: 0)
            return
        }
        guard cpu.isCanonical(linear) else { return }
        walk(root: cpu.special.cr3 & format.rootMask, load)
    }

    private mutating func walk(root: UInt64, _ load: (UInt64, Int) -> UInt64?) {
        var table = root
        for (depth, level) in format.levels.enumerated() {
            let shift = 12 + format.bitsPerLevel * UInt64(format.levels.count - 1 - depth)
            let index = format.index(linear, shift: shift, level)
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
            if let bit = format.reservedBit(in: entry, level) {
                result = .reservedBit(level, bit: bit)
                return
            }
            if format.hasPermissions(level) { restrict(entry) }
            if format.isLeaf(entry, level) {
                let size = UInt64(1) << shift
                let frame = format.frame(of: entry, size: size)
                result = .mapped(physical: frame | linear & (size - 1), pageSize: size)
                return
            }
            table = entry & format.tableMask
        }
    }

    private mutating func restrict(_ entry: UInt64) {
        isWritable = isWritable && entry & 1 << 1 != 0
        isUser = isUser && entry & 1 << 2 != 0
        isExecutable = isExecutable && !(format.hasNX && entry & 1 << 63 != 0)
    }
}
