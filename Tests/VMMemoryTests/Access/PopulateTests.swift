import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMHost

@testable import VMMemory

@Suite("Populating guest memory")
struct PopulateTests {
    /// Notes what it is asked to provide.
    private final class Provider: GuestMemoryAccess {
        var mapping: UnsafeMutableRawPointer? { nil }
        let byteCount: UInt64 = 0x8000
        let provides: Bool
        private let log = Monitor<[Range<UInt64>]>([])

        init(provides: Bool = true) { self.provides = provides }

        var asked: [Range<UInt64>] { log.withLock { $0 } }

        func providePages(offset: UInt64, count: UInt64) -> Bool {
            log.withLock { $0.append(offset..<offset + count) }
            return provides
        }
    }

    private func memory(_ regions: any GuestMemoryRegion...) throws -> GuestMemory {
        GuestMemory(GuestMemoryAtomic(try RegionMap(regions)))
    }

    @Test("Each region is asked once, for the whole pages of its own that have a byte of the range")
    func pieces() throws {
        let (low, high) = (Provider(), Provider())
        let memory = try memory(
            MemoryRegion(TestRegions.range(0x1_0000, 0x4000), low, offset: 0x2000, bitmap: NoBitmap()),
            MemoryRegion(TestRegions.range(0x1_4000, 0x8000), high, bitmap: NoBitmap()))
        #expect(try memory.populate(GuestAddress(0x1_1fff), count: 0x5002))
        #expect(low.asked == [0x3000..<0x6000] && high.asked == [0..<0x4000])
        #expect(try memory.populate(GuestAddress(0x1_bfff), count: 1))
        #expect(low.asked.count == 1 && high.asked.last == 0x7000..<0x8000)
        let part = try memory.subrange(
            #require(AddressRange(start: GuestAddress(0x1_2000), count: 0x1000)))
        #expect(try part.populate(GuestAddress(8), count: 8))
        #expect(low.asked.last == 0x4000..<0x5000)
    }

    @Test("Where one region's pages are not provided, the others' are, and the result says so")
    func refusal() throws {
        let (low, high) = (Provider(provides: false), Provider())
        let memory = try memory(
            MemoryRegion(TestRegions.range(0, 0x1000), low, bitmap: NoBitmap()),
            MemoryRegion(TestRegions.range(0x1000, 0x1000), high, bitmap: NoBitmap()))
        #expect(try memory.populate(GuestAddress(0), count: 0x2000) == false)
        #expect(low.asked.count == 1 && high.asked.count == 1)
        #expect(try memory.populate(GuestAddress(0x1000), count: 0x1000))
        let bare = try self.memory(TestRegions.bare(0, 0x1000))
        #expect(try bare.populate(GuestAddress(0), count: 1) == false)
    }

    @Test("A range that is not all memory is an error, and nothing is asked")
    func notMapped() throws {
        let provider = Provider()
        let memory = try memory(MemoryRegion(TestRegions.range(0x1000, 0x2000), provider, bitmap: NoBitmap()))
        let error = #expect(throws: GuestMemoryError.self) { try memory.populate(GuestAddress(0x2000), count: 0x1001) }
        #expect(error?.kind == .notMapped && error?.failing == GuestAddress(0x3000) && error?.operation == .populate)
        #expect(error.map { "\($0)" }?.hasPrefix("cannot populate 4097 bytes of guest memory at 0x2000") == true)
        #expect(throws: GuestMemoryError.self) { try memory.populate(GuestAddress(.max), count: 2) }
        #expect(try memory.populate(GuestAddress(0x9000), count: 0))
        #expect(provider.asked.isEmpty)
    }

    @Test("The host provides pages of a mapping and of a reservation, marking nothing and changing nothing")
    func host() throws {
        let space = try SparseMapping(byteCount: 0x1_0000)
        try space.map(offset: 0x4000, count: 0x4000, .anonymous)
        let mapping = MappedMemory(try HostMapping(anonymous: 0x8000))
        let bitmaps = try (AtomicBitmap(byteCount: 0x4000), AtomicBitmap(byteCount: 0x4000))
        let memory = try memory(
            MemoryRegion(TestRegions.range(0, 0x4000), mapping, offset: 0x4000, bitmap: bitmaps.0),
            MemoryRegion(TestRegions.range(0x4000, 0x4000), space, offset: 0x4000, bitmap: bitmaps.1))
        try memory.write([1, 2, 3], at: GuestAddress(0x2000))
        bitmaps.0.clear()
        #expect(try memory.populate(GuestAddress(0x1000), count: 0x5000))
        #expect(try space.residentByteCount(offset: 0, count: 0x1_0000) == 0x2000)
        #expect(try mapping.residentPages() == [false, false, false, false, false, true, true, true])
        #expect(!bitmaps.0.isAnyDirty() && !bitmaps.1.isAnyDirty())
        #expect(try memory.read(GuestAddress(0x2000), count: 4) == [1, 2, 3, 0])
    }

    @Test("A reservation does not provide pages where nothing is mapped")
    func hole() throws {
        let space = try SparseMapping(byteCount: 0x1_0000)
        try space.map(offset: 0, count: 0x1000, .anonymous)
        let memory = try memory(MemoryRegion(TestRegions.range(0, 0x2000), space, bitmap: NoBitmap()))
        #expect(try memory.populate(GuestAddress(0), count: 0x2000) == false)
        #expect(try memory.populate(GuestAddress(0), count: 0x1000))
    }
}

extension MappedMemory {
    /// Which of its pages are in memory.
    fileprivate func residentPages() throws -> [Bool] {
        let base = try #require(mapping)
        return try (0..<Int(byteCount / 4096)).map {
            try HostPages(base: base + $0 * 4096, count: 4096).residentByteCount() > 0
        }
    }
}
