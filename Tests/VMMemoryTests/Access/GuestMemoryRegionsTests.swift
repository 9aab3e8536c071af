import Testing
import VMAddressSpace
import VMMemory

@Suite("Accesses across regions")
struct GuestMemoryRegionsTests {
    /// Two adjoining regions, and one apart.
    private func makeMemory() throws -> GuestMemory {
        try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 2)), AccessMemory.region(0x2000, AccessPages(pages: 2)),
            AccessMemory.region(0x1_0000, AccessPages(pages: 2)),
        ])
    }

    @Test("What is written across regions reads back")
    func across() throws {
        let memory = try makeMemory()
        let bytes = AccessMemory.pattern(0x1800)
        try memory.write(bytes, at: GuestAddress(0x1400))
        #expect(try memory.read(GuestAddress(0x1400), count: bytes.count) == bytes)
        let value = bytes[0xbfe..<0xc02].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        #expect(try memory.load(GuestAddress(0x1ffe)) as UInt32 == value)
        try memory.store(0x1122_3344_5566_7788 as UInt64, at: GuestAddress(0x1ffd))
        #expect(try memory.read(GuestAddress(0x1ffd), count: 8) == [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])
        try memory.fill(GuestAddress(0x1000), count: 0x3000, with: 9)
        #expect(
            try memory.read(GuestAddress(0), count: 0x4000) == [UInt8](repeating: 0, count: 0x1000)
                + [UInt8](repeating: 9, count: 0x3000))
    }

    @Test(
        "An access that is not all memory throws and changes nothing",
        arguments: [(0x4000, 1), (0x3fff, 2), (0xffff, 1), (0x1_1fff, 2), (.max, 1), (.max, 2)] as [(UInt64, Int)])
    func missing(_ address: UInt64, _ count: Int) throws {
        let memory = try makeMemory()
        let before = try memory.read(GuestAddress(0x3000), count: 0x1000)
        #expect(throws: GuestMemoryError.self) { try memory.read(GuestAddress(address), count: count) }
        #expect(throws: GuestMemoryError.self) {
            try memory.write([UInt8](repeating: 0xff, count: count), at: GuestAddress(address))
        }
        #expect(try memory.read(GuestAddress(0x3000), count: 0x1000) == before)
        #expect(!memory.contains(GuestAddress(address), count: UInt64(count)))
    }

    @Test("The error names the first address without memory")
    func firstMissing() throws {
        let memory = try makeMemory()
        let error = try AccessMemory.failure { _ = try memory.read(GuestAddress(0x3ff8), count: 0x10) }
        #expect(error.operation == .read)
        #expect(error.address == GuestAddress(0x3ff8))
        #expect(error.count == 0x10)
        #expect(error.failing == GuestAddress(0x4000))
        #expect(error.completed == 0)
        #expect(error.kind == .notMapped)
        #expect(error.memory == "guest memory")
    }

    @Test("As much as there is up to a hole is read and written")
    func partial() throws {
        let memory = try makeMemory()
        let bytes = AccessMemory.pattern(0x3000)
        #expect(try memory.writeAvailable(bytes, 0x1800) == 0x2800)
        #expect(try memory.available(0x1800, 0x8000) == Array(bytes[..<0x2800]))
        #expect(try memory.available(0x3fff, 100).count == 1)
        #expect(try memory.available(0x1_1ffe, 100).count == 2)
        #expect(try memory.available(0, 0x4000).count == 0x4000)
        let none = try AccessMemory.failure { _ = try memory.available(0x4000, 100) }
        #expect(none.kind == .notMapped)
        #expect(none.failing == GuestAddress(0x4000))
        #expect(none.count == 100)
        #expect(none.completed == 0)
        #expect(throws: GuestMemoryError.self) { try memory.writeAvailable(bytes, .max) }
    }

    @Test("As much as there is up to a read-only region is written, and all of it read")
    func partialReadOnly() throws {
        let rom = try AccessPages(pages: 1)
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)), AccessMemory.region(0x1000, rom, isReadOnly: true),
        ])
        #expect(try memory.writeAvailable(AccessMemory.pattern(100), 0xff0) == 16)
        #expect(try memory.available(0xff0, 100).count == 100)
        let error = try AccessMemory.failure { _ = try memory.writeAvailable([1, 2], 0x1000) }
        #expect(error.kind == .readOnly)
    }

    @Test("A read-only region refuses every kind of write, and can be read")
    func readOnly() throws {
        let rom = try AccessPages(pages: 2)
        rom.base.storeBytes(of: 0x77, as: UInt8.self)
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)),
            AccessMemory.region(0x1000, rom, isReadOnly: true, bitmap: AccessPageSet()),
        ])
        #expect(try memory.load(GuestAddress(0x1000)) as UInt8 == 0x77)
        let address = GuestAddress(0x1000)
        let refused: [() throws -> Void] = [
            { try memory.write([1], at: address) }, { try memory.fill(address, count: 1, with: 1) },
            { try memory.store(1 as UInt64, at: address) },
            { _ = try memory.compareExchange(address, expected: 0x77 as UInt8, desired: 1) },
            { try memory.probe(address, count: 1, for: .writing) },
            { _ = try memory.lock(address, count: 1, for: .writing) },
        ]
        for attempt in refused {
            let error = try AccessMemory.failure(attempt)
            #expect(error.kind == .readOnly)
            #expect(error.failing == address)
        }
        // What lies before is written; the error says how much.
        let error = try AccessMemory.failure { try memory.write([1, 2, 3], at: GuestAddress(0xffe)) }
        #expect(error.kind == .readOnly)
        #expect(error.failing == address)
        #expect(error.completed == 2)
        #expect(try memory.read(GuestAddress(0xffe), count: 3) == [1, 2, 0x77])
        try memory.probe(address, count: 0x2000, for: .reading)
        #expect(!memory.isDirty(0x1000))
    }

    @Test("A handle sees the map that is in force")
    func mapChange() throws {
        let memory = try AccessMemory.make(pages: 1)
        #expect(throws: GuestMemoryError.self) { try memory.load(GuestAddress(0x1000), as: UInt8.self) }
        let added = try AccessMemory.region(0x1000, AccessPages(pages: 1))
        try memory.map.update { map throws(RegionMapError) in try map.inserting(added) }
        try memory.store(0x1234 as UInt16, at: GuestAddress(0xfff))
        #expect(try memory.load(GuestAddress(0xfff)) as UInt16 == 0x1234)
        try memory.map.update { map throws(RegionMapError) in try map.removing(added.range).map }
        #expect(throws: GuestMemoryError.self) { try memory.load(GuestAddress(0xfff), as: UInt16.self) }
        #expect(try memory.load(GuestAddress(0xfff)) as UInt8 == 0x34)
    }
}
