import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap

@testable import VMMemory

@Suite("Merging a dirty log of the kernel's into a map's bitmaps")
struct DirtyLogTests {
    /// A bitmap that lends no slice.
    private final class OwnBitmap: Bitmap {
        let bits: AtomicBitmap
        init(_ byteCount: UInt64) throws { bits = try AtomicBitmap(byteCount: byteCount) }
        func markDirty(offset: UInt64, count: UInt64) { bits.markDirty(offset: offset, count: count) }
        func isDirty(at offset: UInt64) -> Bool { bits.isDirty(at: offset) }
        func slice(at offset: UInt64) -> AtomicBitmap.Slice { bits.slice(at: offset) }
    }

    private func region(_ start: UInt64, pages: UInt64, kind: Int = 0) throws -> any GuestMemoryRegion {
        let range = try TestRegions.range(start, pages << 12)
        let backing = BackingWithoutMemory()
        return switch kind {
        case 0: try MemoryRegion(range, backing, bitmap: AtomicBitmap(byteCount: range.count))
        case 1:
            try MemoryRegion(range, backing, bitmap: AtomicBitmap(byteCount: range.count + 0x5000).slice(at: 0x5000))
        case 2: try MemoryRegion(range, backing, bitmap: OwnBitmap(range.count))
        case 3: try MemoryRegion(range, backing, bitmap: AtomicBitmap(byteCount: range.count, pageSize: 0x4000))
        case 4: try MemoryRegion(range, backing, bitmap: Optional(try AtomicBitmap(byteCount: range.count)))
        case 5: try MemoryRegion(range, backing, isReadOnly: true, bitmap: AtomicBitmap(byteCount: range.count))
        case 6: try MemoryRegion(range, backing, bitmap: AtomicBitmap?.none)
        default: try MemoryRegion(range, backing, bitmap: NoBitmap())
        }
    }

    private func merge(_ words: [UInt64], into map: RegionMap, at start: UInt64, pages: UInt64) throws {
        let range = try TestRegions.range(start, pages << 12)
        words.withUnsafeBufferPointer { map.mergeDirtyLog($0, of: range) }
    }

    /// The guest-physical numbers of the pages that are marked.
    private func marked(_ map: RegionMap) -> [UInt64] {
        map.regions.flatMap { region in
            (0..<region.range.count >> 12).filter { region.isDirty(at: $0 << 12) }.map {
                region.range.start.rawValue >> 12 + $0
            }
        }
    }

    @Test("A bit stands for a page, wherever in a word the region starts")
    func shifted() throws {
        let map = try RegionMap([region(0x3000, pages: 70), region(0x10_0000, pages: 200)])
        try merge([0b1_1001, 1 << 63, 1], into: map, at: 0x2000, pages: 300)
        // Page 2, which bit 0 stands for, is in no region, and neither are pages 129 and 130.
        #expect(marked(map) == [5, 6])
        try merge([~0, 0, 0, 0b10], into: map, at: 0x10_0000, pages: 193)
        #expect(marked(map) == [5, 6] + (256..<320))
        try merge([0, 0, 0, 0b11], into: map, at: 0x10_0000, pages: 193)
        #expect(marked(map) == [5, 6] + (256..<320) + [448])
    }

    @Test("Words that are missing count as clean, and an empty map takes nothing")
    func short() throws {
        let map = try RegionMap([region(0, pages: 200), region(0x10_0000, pages: 10, kind: 2)])
        try merge([1], into: map, at: 0, pages: 300)
        try merge([], into: map, at: 0, pages: 300)
        #expect(marked(map) == [0])
        try merge([~0, ~0], into: RegionMap(), at: 0, pages: 128)
    }

    @Test("Regions at both ends of the address space are reached")
    func ends() throws {
        let map = try RegionMap([region(0, pages: 1), region(0 &- 0x8000, pages: 8)])
        try merge([1 << 7 | 1], into: map, at: 0 &- 0x8000, pages: 8)
        #expect(marked(map) == [1 << 52 - 8, 1 << 52 - 1])
        try merge([~0], into: map, at: 0, pages: 64)
        #expect(marked(map).first == 0)
    }

    @Test(
        "Whatever the regions and the range, the pages are marked that the bits stand for",
        arguments: Array(0..<40) + [UInt64.random(in: 40...(.max))])
    func model(_ seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        var regions: [any GuestMemoryRegion] = []
        // How many pages a bit of each page's bitmap stands for; 0 for pages that are not tracked.
        var granularity: [UInt64: UInt64] = [:]
        var next = UInt64.random(in: 0..<100, using: &numbers)
        for _ in 0..<Int.random(in: 1...8, using: &numbers) {
            let pages = UInt64.random(in: 1...150, using: &numbers)
            let kind = Int.random(in: 0...7, using: &numbers)
            regions.append(try region(next << 12, pages: pages, kind: kind))
            for page in next..<next + pages { granularity[page] = kind == 3 ? 4 : kind < 6 ? 1 : 0 }
            next += pages + (Bool.random(using: &numbers) ? 0 : UInt64.random(in: 1...80, using: &numbers))
        }
        let map = try RegionMap(regions)
        var expected: Set<UInt64> = []
        for _ in 0..<4 {
            let first = UInt64.random(in: 0..<next, using: &numbers)
            let pages = UInt64.random(in: 1...400, using: &numbers)
            let words = (0..<Int.random(in: 0...8, using: &numbers)).map { _ -> UInt64 in
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: 0
                case 1: ~0
                case 2: 1 << UInt64.random(in: 0..<64, using: &numbers)
                default: .random(in: 0...(.max), using: &numbers)
                }
            }
            try merge(words, into: map, at: first << 12, pages: pages)
            for bit in 0..<min(pages, UInt64(words.count) * 64) where words[Int(bit / 64)] >> (bit % 64) & 1 == 1 {
                let page = first + bit
                guard let count = granularity[page], count > 0,
                    let start = map.rangeOfRegion(containing: GuestAddress(page << 12))?.start.rawValue
                else { continue }
                let (base, end) = (start >> 12, map.rangeOfRegion(containing: GuestAddress(page << 12))?.endExclusive)
                let low = base + (page - base) / count * count
                for marked in low..<low + count where marked << 12 < end?.rawValue ?? .max { expected.insert(marked) }
            }
        }
        #expect(marked(map) == expected.sorted(), "seed \(seed)")
    }
}
