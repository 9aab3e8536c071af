import Glibc
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

@Suite struct GuestRAMTests {
    private func range(_ start: UInt64, _ count: UInt64) throws -> MemoryRange {
        try MemoryRange(start: GuestAddress(start), count: count)
    }

    @Test("Ranges in any order become a map in ascending order, zeroed and clean")
    func unsortedRanges() throws {
        let ranges = try [range(0x10_0000, 0x2000), range(0, 0x1000)]
        let memory = try GuestMemory(anonymous: ranges)
        #expect(memory.regionMap.ranges == ranges.reversed())
        #expect(memory.regionMap.byteCount == 0x3000)
        #expect(try memory.read(GuestAddress(0x10_0000), count: 0x2000).allSatisfy { $0 == 0 })
        let regions = memory.regionMap.regions.compactMap { $0 as? MemoryRegion<AtomicBitmap> }
        #expect(regions.map { $0.bitmap.pageCount } == [1, 2])
        #expect(regions.allSatisfy { !$0.bitmap.isAnyDirty() })
    }

    @Test("Ranges that overlap, or none, are refused")
    func badRanges() throws {
        let (lower, upper) = try (range(0, 0x3000), range(0x2000, 0x1000))
        #expect(throws: GuestRAMError.map(.overlap(lower, upper))) { try GuestMemory(anonymous: [upper, lower]) }
        #expect(try GuestMemory(anonymous: []).regionMap.regions.isEmpty)
    }

    @Test("More than the host's address space is refused, and the error names the range")
    func moreThanThereIs() throws {
        let range = try range(0, 1 << 60)
        let error = #expect(throws: GuestRAMError.self) { try GuestMemory(anonymous: [range]) }
        guard case .host(range, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect("\(error!)".hasPrefix("no RAM for the guest at [0x0, 0xfffffffffffffff]: "))
    }

    @Test("Options reach the mapping")
    func options() throws {
        let memory = try GuestMemory(anonymous: [range(0, 0x8000)], options: .populate)
        let locked = try memory.lock(GuestAddress(0), count: 0x8000, for: .reading)
        locked.withBytes(ofPiece: 0) { pages in
            var residency = [UInt8](repeating: 0, count: 8)
            #expect(pages.count == 0x8000)
            #expect(mincore(pages.baseAddress, pages.count, &residency) == 0)
            #expect(residency.allSatisfy { $0 & 1 == 1 })
        }
    }
}
