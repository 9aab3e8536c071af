import Testing
import VMAddressSpace
import VMDirtyBitmap

@testable import VMMemory

@Suite("A memory region")
struct MemoryRegionTests {
    /// A bitmap that lends no slice.
    private final class OwnBitmap: Bitmap {
        private let bits: AtomicBitmap
        init(_ byteCount: UInt64) throws { bits = try AtomicBitmap(byteCount: byteCount) }
        func markDirty(offset: UInt64, count: UInt64) { bits.markDirty(offset: offset, count: count) }
        func isDirty(at offset: UInt64) -> Bool { bits.isDirty(at: offset) }
        func slice(at offset: UInt64) -> AtomicBitmap.Slice { bits.slice(at: offset) }
    }

    @Test(
        "What lies behind a region may be longer than it, and not shorter",
        arguments: [
            (0, 0x2000, true), (0, 0x3000, true), (0, 0x1fff, false), (0x1000, 0x3000, true), (0x1000, 0x2fff, false),
            (0x3000, 0x3000, false), (0x8000, 0x3000, false), (0, 0, false),
        ] as [(UInt64, UInt64, Bool)])
    func length(_ offset: UInt64, _ byteCount: UInt64, _ isEnough: Bool) throws {
        let range = try TestRegions.range(0x10_0000, 0x2000)
        let backing = BackingWithoutMemory(byteCount: byteCount)
        do throws(RegionMapError) {
            let region = try MemoryRegion(range, backing, offset: offset, bitmap: NoBitmap())
            #expect(isEnough)
            #expect(region.range == range && region.accessOffset == offset && region.access === backing)
        } catch {
            #expect(!isEnough)
            #expect(error == .backingTooShort(range, offset: offset, byteCount: byteCount))
            #expect("\(error)".contains("\(range)") && "\(error)".contains("\(byteCount)"))
        }
    }

    @Test("An offset that overflows is too far, and no backing has all 2^64 bytes")
    func hugeNumbers() throws {
        let range = try TestRegions.range(0, 0x2000)
        let offset = UInt64.max - 0xfff
        #expect(throws: RegionMapError.backingTooShort(range, offset: offset, byteCount: .max)) {
            try MemoryRegion(range, BackingWithoutMemory(), offset: offset, bitmap: NoBitmap())
        }
        #expect(throws: RegionMapError.backingTooShort(.whole, offset: 0, byteCount: .max)) {
            try MemoryRegion(.whole, BackingWithoutMemory(), bitmap: NoBitmap())
        }
    }

    @Test("A region begins at a page of what lies behind it", arguments: [1, 8, 0xfff, 0x1800] as [UInt64])
    func unalignedOffset(_ offset: UInt64) throws {
        let range = try TestRegions.range(0, 0x1000)
        #expect(throws: RegionMapError.unalignedOffset(range, offset: offset)) {
            try MemoryRegion(range, BackingWithoutMemory(), offset: offset, bitmap: NoBitmap())
        }
        #expect("\(RegionMapError.unalignedOffset(range, offset: offset))".contains("offset \(offset)"))
    }

    @Test("A region's host address is its backing's, further on by its offset")
    func hostAddress() throws {
        let range = try TestRegions.range(0x8000, 0x1000)
        let region = try MemoryRegion(range, BackingWithoutMemory(at: 0x7000_0000), offset: 0x3000, bitmap: NoBitmap())
        #expect(region.hostAddress.map { UInt(bitPattern: $0) } == 0x7000_3000)
        #expect(try TestRegions.bare(range).hostAddress == nil)
    }

    @Test("A region marks in its own bitmap, by offset in the region")
    func marking() throws {
        let range = try TestRegions.range(0x8000, 0x4000)
        let bitmap = try AtomicBitmap(byteCount: 0x4000)
        let region: any GuestMemoryRegion = try MemoryRegion(range, BackingWithoutMemory(), bitmap: bitmap)
        region.markDirty(offset: 0x1fff, count: 2)
        #expect((0..<4).map { region.isDirty(at: $0 << 12) } == [false, true, true, false])
        #expect((0..<4).map { bitmap.isDirty(at: $0 << 12) } == [false, true, true, false])
    }

    @Test("An access marks by bits where the bitmap lends them, not at all where nothing is tracked")
    func entryMarking() throws {
        let range = try TestRegions.range(0x8000, 0x4000)
        let bits = try AtomicBitmap(byteCount: 0x4000)
        let region = try MemoryRegion(range, BackingWithoutMemory(), bitmap: Optional(bits))
        let record = RegionRecord(region)
        record.bitmap?.markDirty(offset: 0x2000, count: 1)
        #expect(Array(bits.dirtyRuns()) == [2..<3])
        #expect(!record.marksByItself)
        let off = RegionRecord(try MemoryRegion(range, BackingWithoutMemory(), bitmap: AtomicBitmap?.none))
        #expect(off.bitmap == nil && !off.marksByItself)
        let none = RegionRecord(try MemoryRegion(range, BackingWithoutMemory(), bitmap: NoBitmap()))
        #expect(none.bitmap == nil && !none.marksByItself)
    }

    @Test("A bitmap that is not made page by page for all of the region marks by itself")
    func entryMarkingByItself() throws {
        let range = try TestRegions.range(0x8000, 0x4000)
        func marksByItself(_ bitmap: some Bitmap) throws -> Bool {
            let backing = BackingWithoutMemory(at: 0x7000_0000)
            let record = RegionRecord(try MemoryRegion(range, backing, bitmap: bitmap))
            #expect((record.bitmap == nil) == record.marksByItself)
            #expect((RegionEntry(record).writable == nil) == record.marksByItself)
            return record.marksByItself
        }
        #expect(try marksByItself(OwnBitmap(0x4000)))
        #expect(try marksByItself(AtomicBitmap(byteCount: 0x3fff)))
        #expect(try marksByItself(AtomicBitmap(byteCount: 0x4000, pageSize: 2048)))
        let larger = try AtomicBitmap(byteCount: 0x10_0000, pageSize: 0x2000)
        #expect(try marksByItself(larger.slice(at: 0x1000)))
        #expect(try !marksByItself(larger.slice(at: 0x2000)))
        #expect(try marksByItself(larger.slice(at: 0xf_e000)))
    }

    @Test(
        "An access goes straight to the host where there is memory, and neither an access bitmap nor ROM forbids it",
        arguments: [false, true], [false, true])
    func entryPermissions(isReadOnly: Bool, hasMemory: Bool) throws {
        let range = try TestRegions.range(0x8000, 0x2000)
        let permissions = try PagePermissions(byteCount: 0x3000)
        for bitmap in [nil, permissions.accessBitmap] {
            let backing = BackingWithoutMemory(at: hasMemory ? 0x7000_0000 : 0, accessBitmap: bitmap)
            let region = try MemoryRegion(range, backing, offset: 0x1000, isReadOnly: isReadOnly, bitmap: NoBitmap())
            let record = RegionRecord(region)
            let entry = RegionEntry(record)
            #expect((entry.readable != nil) == (hasMemory && bitmap == nil))
            #expect((entry.writable != nil) == (hasMemory && bitmap == nil && !isReadOnly))
            // With a bitmap that allows everything it is found out on each access.
            let table = RegionTable(count: 1)
            defer { withExtendedLifetime(record) { table.deallocate() } }
            table.initialize(0, to: record)
            #expect(table[0].permits(0x8000, 0x2000, isWrite: false) == hasMemory)
            #expect(table[0].permits(0x8000, 0x2000, isWrite: true) == (hasMemory && !isReadOnly))
            guard bitmap != nil else { continue }
            permissions.set([.read], offset: 0x2000, count: 1)
            #expect(table[0].permits(0x8000, 0x2000, isWrite: false) == hasMemory)
            #expect(!table[0].permits(0x8000, 0x1001, isWrite: true))
            #expect(table[0].permittedPrefix(0x8010, 0x1ff0, isWrite: true) == 0xff0)
            permissions.set([.read, .write], offset: 0x2000, count: 1)
        }
    }

    @Test("Host memory behind a region is gone with the last region of it")
    func mappedMemory() throws {
        var backing: MappedMemory? = MappedMemory(try HostMapping(anonymous: 0x2000))
        weak let weakBacking = backing
        let mapping = try #require(backing?.mapping)
        mapping.storeBytes(of: 7, toByteOffset: 0x1000, as: UInt8.self)
        var region: (any GuestMemoryRegion)? = try MemoryRegion(
            TestRegions.range(0, 0x1000), #require(backing), offset: 0x1000, bitmap: NoBitmap())
        #expect(backing?.byteCount == 0x2000)
        backing = nil
        #expect(region?.hostAddress?.load(as: UInt8.self) == 7)
        #expect(weakBacking != nil)
        region = nil
        #expect(weakBacking == nil)
    }
}
