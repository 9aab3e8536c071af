import VMAddressSpace
import VMDirtyBitmap
import VMMemory

/// The kinds of memory that the contract of `GuestMemory` is tested with. Each has sixteen pages.
enum AccessMemoryKind: String, CaseIterable, Sendable {
    case oneRegion, atomicBitmap, someBitmap, noneBitmap, customBitmap
    case fragments, permitted, calls, pagesAndCalls, lastAddresses
    case subrange, subrangeOfFragments, subrangeOfSubrange

    static let pages = 16
    static let byteCount = pages * 4096

    func make() throws -> AccessContract {
        switch self {
        case .oneRegion: try AccessContract(regions(at: 0x5000, NoBitmap()), start: 0x5000)
        case .atomicBitmap: try AccessContract(regions(at: 0, atomicBitmap()), start: 0)
        case .someBitmap: try AccessContract(regions(at: 0x1000, Optional(atomicBitmap())), start: 0x1000)
        case .noneBitmap: try AccessContract(regions(at: 0x1000, AtomicBitmap?.none), start: 0x1000)
        case .customBitmap: try AccessContract(regions(at: 1 << 63, AccessPageSet()), start: 1 << 63)
        case .fragments: try AccessContract(fragments(at: 0x8000), start: 0x8000)
        case .permitted: try AccessContract(permitted(at: 0x1000), start: 0x1000)
        case .calls:
            try AccessContract(
                [AccessMemory.region(0x3000, AccessCalls(pages: Self.pages), bitmap: atomicBitmap())], start: 0x3000)
        case .pagesAndCalls: try AccessContract(pagesAndCalls(at: 0x4000), start: 0x4000)
        case .lastAddresses:
            try AccessContract(regions(at: lastAddresses, atomicBitmap()), start: lastAddresses)
        case .subrange:
            try AccessContract(larger(at: 0x1000, pages: Self.pages + 2), base: 0x1ff9)
        case .subrangeOfFragments:
            try AccessContract(fragments(at: 0x2000) + fragments(at: 0x1_2000), base: 0x7008)
        case .subrangeOfSubrange:
            try AccessContract(larger(at: 0x1000, pages: Self.pages + 2), base: 0x2010, through: 0x1100)
        }
    }

    private var lastAddresses: UInt64 { 0 &- UInt64(Self.byteCount) }

    private func atomicBitmap(_ pages: Int = Self.pages) throws -> AtomicBitmap {
        try AtomicBitmap(byteCount: UInt64(pages) * 4096)
    }

    private func regions(at start: UInt64, _ bitmap: some Bitmap) throws -> [any GuestMemoryRegion] {
        [try AccessMemory.region(start, AccessPages(pages: Self.pages), bitmap: bitmap)]
    }

    private func larger(at start: UInt64, pages: Int) throws -> [any GuestMemoryRegion] {
        [try AccessMemory.region(start, AccessPages(pages: pages), bitmap: atomicBitmap(pages))]
    }

    /// A region for each page, in another order on the host than for the guest, marked in one way after the other.
    private func fragments(at start: UInt64) throws -> [any GuestMemoryRegion] {
        let pages = try AccessPages(pages: Self.pages)
        var regions: [any GuestMemoryRegion] = []
        for index in 0..<Self.pages {
            let range = try AccessMemory.range(start + UInt64(index) * 4096, 4096)
            let offset = UInt64((index * 5 + 3) % Self.pages) * 4096
            switch index % 3 {
            case 0: regions.append(try MemoryRegion(range, pages, offset: offset, bitmap: atomicBitmap(1)))
            case 1: regions.append(try MemoryRegion(range, pages, offset: offset, bitmap: AccessPageSet()))
            default: regions.append(try MemoryRegion(range, pages, offset: offset, bitmap: NoBitmap()))
            }
        }
        return regions
    }

    /// With an access bitmap that allows everything.
    private func permitted(at start: UInt64) throws -> [any GuestMemoryRegion] {
        let permissions = try PagePermissions(byteCount: UInt64(Self.byteCount))
        let pages = try AccessPages(pages: Self.pages, permissions: permissions)
        return [try AccessMemory.region(start, pages, bitmap: atomicBitmap())]
    }

    private func pagesAndCalls(at start: UInt64) throws -> [any GuestMemoryRegion] {
        try (0..<4).map { index in
            let access: any GuestMemoryAccess = index % 2 == 0 ? try AccessPages(pages: 4) : AccessCalls(pages: 4)
            return try AccessMemory.region(start + UInt64(index) * 0x4000, access, bitmap: atomicBitmap(4))
        }
    }
}

/// Memory to test the contract with: `count` bytes in a row, and none around them that the handle reaches.
struct AccessContract {
    let memory: GuestMemory
    /// The handle's address of the first byte.
    let start: UInt64
    /// The guest-physical address of the handle's address 0.
    let base: UInt64
    let count = AccessMemoryKind.byteCount

    /// The handle's address of the last byte.
    var last: UInt64 { start + UInt64(count - 1) }

    init(_ regions: [any GuestMemoryRegion], start: UInt64) throws {
        memory = try AccessMemory.make(regions)
        self.start = start
        base = 0
    }

    /// - Parameters:
    ///   - base: the guest-physical address of the part to make a handle of.
    ///   - middle: that of a larger part, of which to make the handle; 0 for all memory.
    init(_ regions: [any GuestMemoryRegion], base: UInt64, through middle: UInt64 = 0) throws {
        var memory = try AccessMemory.make(regions)
        if middle > 0 {
            let count = regions[regions.count - 1].range.last.rawValue - middle + 1
            memory = try memory.subrange(AddressRange(start: GuestAddress(middle), count: count)!)
        }
        let part = AddressRange(start: GuestAddress(base - middle), count: UInt64(AccessMemoryKind.byteCount))
        self.memory = try memory.subrange(part!)
        self.start = 0
        self.base = base
    }

    /// Whether each page of `count` bytes from an address of the handle on is marked, where it is tracked at all.
    func isMarked(_ address: UInt64, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        let first = base + address
        let map = memory.map.memory().retained()
        return ((first >> 12)...((first + UInt64(count - 1)) >> 12)).allSatisfy { frame in
            let region = map.region(containing: GuestAddress(frame << 12))
            return region?.isTracking == false || memory.isDirty(frame << 12)
        }
    }

    /// Whether no page at all is marked.
    var isClean: Bool {
        memory.map.memory().retained().regions.allSatisfy { region in
            !stride(from: 0, to: region.range.count, by: 4096).contains { region.isDirty(at: $0) }
        }
    }

    var contents: [UInt8] {
        get throws { try memory.read(GuestAddress(start), count: count) }
    }
}
