import Glibc
import Testing
import VMRegions

@testable import VMMigration

@Suite(
    "Memory that is filled for the first time",
    .enabled(if: (try? UserFault(.program)) != nil, "needs userfaultfd(2) for the process's own faults"),
    .disabled(if: FreshMemory.hasLargePages, "the host gives large pages to all memory"), .timeLimit(.minutes(5)))
struct FreshMemoryTests {
    private static let page = ShownMemory.page
    private static let pageCount = 8

    private func backing(isShared: Bool) throws -> RegionBacking {
        let byteCount = UInt64(Self.pageCount * Self.page)
        return isShared
            ? try RegionBacking(memfd: "shared", byteCount: byteCount)
            : try RegionBacking(anonymous: "private", byteCount: byteCount)
    }

    private func place(_ byte: UInt8, pages: Range<Int>, in fresh: FreshMemory, _ shown: ShownMemory) throws {
        let bytes = [UInt8](repeating: byte, count: pages.count * Self.page)
        try bytes.withUnsafeBytes {
            try fresh.place($0, $0.count, at: shown.base + pages.lowerBound * Self.page, of: "ram")
        }
    }

    @Test("Pages are put in place whether or not something is there", arguments: [false, true])
    func filling(isShared: Bool) throws {
        let shown = try ShownMemory(try backing(isShared: isShared))
        // There before.
        shown.base.storeBytes(of: 9, toByteOffset: 2 * Self.page, as: UInt8.self)
        do {
            let fresh = try #require(FreshMemory(shown.contents))
            #expect(shown.contents[0].extents.allSatisfy { fresh.includes($0, ofBlock: 0) })
            try place(1, pages: 0..<4, in: fresh, shown)
            // Again, and beyond.
            try place(2, pages: 3..<6, in: fresh, shown)
            // Zeros over what is there, and where nothing is.
            try fresh.place(nil, 2 * Self.page, at: shown.base + 5 * Self.page, of: "ram")
        }
        #expect(shown.firstBytes == [1, 1, 1, 2, 2, 0, 0, 0])
    }

    @Test("Once it is over, what has not come is zero, and nobody waits for it", arguments: [false, true])
    func end(isShared: Bool) throws {
        let shown = try ShownMemory(try backing(isShared: isShared))
        do {
            let fresh = try #require(FreshMemory(shown.contents))
            try place(5, pages: 2..<3, in: fresh, shown)
            fresh.end()
            #expect(shown.firstBytes == [0, 0, 5, 0, 0, 0, 0, 0])
        }
        #expect(shown.firstBytes == [0, 0, 5, 0, 0, 0, 0, 0])
    }

    @Test("Memory that asks for large pages is left out")
    func largePages() throws {
        let shown = try ShownMemory(
            try RegionBacking(
                anonymous: "large", byteCount: UInt64(Self.pageCount * Self.page), transparentHugePages: true))
        #expect(FreshMemory(shown.contents) == nil)
    }
}
