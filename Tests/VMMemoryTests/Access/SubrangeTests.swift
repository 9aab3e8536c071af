import Synchronization
import Testing
import VMAddressSpace
import VMMemory

@Suite("Handles to parts of memory")
struct SubrangeTests {
    private func range(_ start: UInt64, _ count: UInt64) throws -> AddressRange {
        try #require(AddressRange(start: GuestAddress(start), count: count))
    }

    @Test("A part begins and ends where it should, to the byte")
    func bounds() throws {
        let memory = try AccessMemory.make(at: 0x1000, pages: 4)
        let bytes = AccessMemory.pattern(0x4000)
        try memory.write(bytes, at: GuestAddress(0x1000))
        let part = try memory.subrange(range(0x1803, 0x1001))
        #expect(try part.read(GuestAddress(0), count: 0x1001) == Array(bytes[0x803..<0x1804]))
        #expect(try part.load(GuestAddress(0x1000)) as UInt8 == bytes[0x1803])
        #expect(try part.available(0xff0, 100) == Array(bytes[0x17f3..<0x1804]))
        #expect(!part.contains(GuestAddress(0x1001), count: 1) && part.contains(GuestAddress(0), count: 0x1001))
        let attempts: [(UInt64, () throws -> Void)] = [
            (0x2804, { _ = try part.load(GuestAddress(0x1001), as: UInt8.self) }),
            (0x2804, { _ = try part.read(GuestAddress(0), count: 0x1002) }),
            (0x2804, { try part.store(0 as UInt16, at: GuestAddress(0x1000)) }),
            (.max, { try part.fill(GuestAddress(.max), count: 1, with: 0) }),
            (.max, { try part.probe(GuestAddress(.max - 2), count: 2, for: .reading) }),
            (0x3803, { _ = try part.lock(GuestAddress(0x2000), count: 1, for: .reading) }),
        ]
        for (failing, attempt) in attempts {
            let error = try AccessMemory.failure(attempt)
            #expect(error.kind == .outOfBounds(last: 0x1000))
            #expect(error.failing == GuestAddress(failing))
            #expect(error.completed == 0)
        }
        #expect(try memory.read(GuestAddress(0x1000), count: 0x4000) == bytes)
    }

    @Test("A part of a part counts from there, and reaches no further")
    func nested() throws {
        let memory = try AccessMemory.make(at: 0x1000, pages: 4)
        let part = try memory.subrange(range(0x1100, 0x2000), name: "outer").subrange(range(0x700, 0x1900))
        try part.store(0x55 as UInt8, at: GuestAddress(0x18ff))
        #expect(try memory.load(GuestAddress(0x1100 + 0x1fff)) as UInt8 == 0x55)
        #expect(part.name == "outer")
        #expect(throws: GuestMemoryError.self) { try part.load(GuestAddress(0x1900), as: UInt8.self) }
        for (start, count) in [(0, 0x1901), (0x18ff, 2), (0x1900, 1), (.max, 1), (1, .max)] as [(UInt64, UInt64)] {
            guard let range = AddressRange(start: GuestAddress(start), count: count) else { continue }
            let error = try AccessMemory.failure { _ = try part.subrange(range) }
            #expect(error.kind == .outOfBounds(last: 0x18ff))
            #expect(error.operation == .subrange)
        }
        #expect(try part.subrange(range(0, 0x1900)).contains(GuestAddress(0), count: 0x1900))
    }

    @Test("A part may end at 2^64")
    func lastAddress() throws {
        let memory = try AccessMemory.make(at: 0xffff_ffff_ffff_e000, pages: 2)
        let part = try memory.subrange(
            #require(AddressRange(from: GuestAddress(.max - 0x10), through: GuestAddress(.max))))
        try part.store(1 as UInt8, at: GuestAddress(0x10))
        #expect(try memory.load(GuestAddress(.max)) as UInt8 == 1)
        let error = try AccessMemory.failure { _ = try part.load(GuestAddress(0x10), as: UInt16.self) }
        #expect(error.kind == .outOfBounds(last: 0x10))
        #expect(error.failing == GuestAddress(.max))
        #expect(throws: GuestMemoryError.self) { try part.load(GuestAddress(0x11), as: UInt8.self) }
        #expect(throws: GuestMemoryError.self) { try part.load(GuestAddress(.max), as: UInt8.self) }
    }

    @Test("A part may cross regions, and what is no memory has no part")
    func regions() throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)), AccessMemory.region(0x1000, AccessCalls(pages: 1)),
            AccessMemory.region(0x4000, AccessPages(pages: 1)),
        ])
        let part = try memory.subrange(range(0xff0, 0x20))
        try part.store(0x1122_3344_5566_7788 as UInt64, at: GuestAddress(0xc))
        #expect(try memory.load(GuestAddress(0xffc)) as UInt64 == 0x1122_3344_5566_7788)
        let error = try AccessMemory.failure { _ = try memory.subrange(range(0x1ff0, 0x20)) }
        #expect(error.kind == .notMapped)
        #expect(error.failing == GuestAddress(0x2000))
    }

    @Test("A part sees the map that is in force")
    func mapChange() throws {
        let added = try AccessMemory.region(0x1000, AccessPages(pages: 1))
        let memory = try AccessMemory.make([AccessMemory.region(0, AccessPages(pages: 1)), added])
        let part = try memory.subrange(range(0x1000, 0x1000))
        try memory.map.update { map throws(RegionMapError) in try map.removing(added.range).map }
        let error = try AccessMemory.failure { _ = try part.load(GuestAddress(8), as: UInt8.self) }
        #expect(error.kind == .notMapped)
        #expect(error.failing == GuestAddress(0x1008))
    }

    /// Makes handles of its own for its first page, and refuses its second.
    private final class Maker: GuestMemoryAccess, @unchecked Sendable {
        // SAFETY: everything is constant, or behind a lock.
        let pages: AccessPages
        let made: GuestMemory
        let asked = Mutex<[(offset: UInt64, count: UInt64, allowsPreemptiveLocking: Bool)]>([])
        static let refusal = GuestMemoryBackingError("it has no parts")

        init() throws {
            pages = try AccessPages(pages: 3)
            made = try AccessMemory.make(pages: 1)
        }

        var mapping: UnsafeMutableRawPointer? { pages.base }
        var byteCount: UInt64 { pages.byteCount }

        func subrange(
            offset: UInt64, count: UInt64, allowsPreemptiveLocking: Bool
        ) throws(GuestMemoryBackingError) -> GuestMemory? {
            asked.withLock { $0.append((offset, count, allowsPreemptiveLocking)) }
            if offset >= 0x2000 { throw Self.refusal }
            return offset < 0x1000 ? made : nil
        }
    }

    @Test("A backing may make the handle, leave it, or refuse, where one region has all of the part")
    func backing() throws {
        let maker = try Maker()
        let range = try AccessMemory.range(0x8000, 0x2800 + 0x800)
        let memory = try AccessMemory.make([
            MemoryRegion(range, maker, bitmap: AccessPageSet()), AccessMemory.region(0xb000, AccessPages(pages: 1)),
        ])
        try maker.made.store(0x77 as UInt8, at: GuestAddress(0))
        let made = try memory.subrange(self.range(0x8800, 0x10), allowsPreemptiveLocking: true)
        #expect(try made.load(GuestAddress(0)) as UInt8 == 0x77)
        let left = try memory.subrange(self.range(0x9000, 0x10))
        #expect(try left.load(GuestAddress(0)) as UInt8 == 0)
        let error = try AccessMemory.failure { _ = try memory.subrange(self.range(0xa010, 0xff0)) }
        #expect(error.kind == .backing(Maker.refusal))
        #expect(error.failing == GuestAddress(0xa010))
        _ = try memory.subrange(self.range(0xa010, 0xff1))
        let asked = maker.asked.withLock { $0 }
        #expect(asked.map(\.offset) == [0x800, 0x1000, 0x2010])
        #expect(asked.map(\.count) == [0x10, 0x10, 0xff0])
        #expect(asked.map(\.allowsPreemptiveLocking) == [true, false, false])
    }
}
