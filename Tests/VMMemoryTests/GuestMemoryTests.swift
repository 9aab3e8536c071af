import SystemPackage
import Testing
import VMAddressSpace
import VMMemory

@Suite struct GuestMemoryTests {
    /// Two adjoining regions, and one apart.
    private func makeMemory() throws -> GuestMemory {
        try GuestMemory(anonymous: [range(0x1_0000, 0x2000), range(0x2000, 0x2000), range(0, 0x2000)])
    }

    private func range(_ start: UInt64, _ count: UInt64) -> MemoryRange {
        try! MemoryRange(start: GuestAddress(start), count: count)
    }

    @Test func freshMemoryIsZeroAndSorted() throws {
        let memory = try makeMemory()
        #expect(memory.ranges.map(\.start.rawValue) == [0, 0x2000, 0x1_0000])
        #expect(memory.byteCount == 0x6000)
        #expect(try memory.read(GuestAddress(0), count: 0x4000).allSatisfy { $0 == 0 })
    }

    @Test func whatIsWrittenAcrossRegionsReadsBack() throws {
        let memory = try makeMemory()
        let bytes = (0..<0x1800).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try memory.write(bytes, at: GuestAddress(0x1400))
        #expect(try memory.read(GuestAddress(0x1400), count: bytes.count) == bytes)
        #expect(
            try memory.load(GuestAddress(0x1ffe), as: UInt32.self)
                == bytes[0xbfe..<0xc02].reversed().reduce(0) { $0 << 8 | UInt32($1) })
    }

    @Test(arguments: [(0x4000, 1), (0x3fff, 2), (0xffff, 1), (0x1_1fff, 2), (.max, 1), (.max, 2)] as [(UInt64, Int)])
    func anAccessThatIsNotAllMemoryThrowsAndChangesNothing(_ address: UInt64, _ count: Int) throws {
        let memory = try makeMemory()
        let before = try memory.read(GuestAddress(0x3000), count: 0x1000)
        #expect(throws: GuestMemoryError.self) { try memory.read(GuestAddress(address), count: count) }
        #expect(throws: GuestMemoryError.self) {
            try memory.write([UInt8](repeating: 0xff, count: count), at: GuestAddress(address))
        }
        #expect(try memory.read(GuestAddress(0x3000), count: 0x1000) == before)
        #expect(!memory.contains(GuestAddress(address), count: count))
    }

    @Test func theErrorNamesTheFirstMissingAddress() throws {
        let memory = try makeMemory()
        #expect(
            throws: GuestMemoryError(operation: .read, address: GuestAddress(0x4000), count: 0x10, kind: .notMapped)
        ) { try memory.read(GuestAddress(0x3ff8), count: 0x10) }
    }

    @Test func aNegativeCountThrows() throws {
        let memory = try makeMemory()
        #expect(throws: GuestMemoryError.self) { try memory.read(GuestAddress(0), count: -1) }
    }

    @Test func anEmptyAccessSucceedsAnywhere() throws {
        let memory = try makeMemory()
        #expect(try memory.read(GuestAddress(.max), count: 0).isEmpty)
    }

    @Test func overlappingRangesAreRefused() {
        #expect(throws: GuestMemoryError(operation: .map, address: GuestAddress(0x1000), count: 0x1000, kind: .overlap))
        {
            try GuestMemory(anonymous: [range(0x1000, 0x1000), range(0, 0x2000)])
        }
    }

    @Test func moreThanTheHostCanMapIsATypedError() {
        #expect {
            try GuestMemory(anonymous: [range(0, 1 << 60)])
        } throws: { error in
            (error as? GuestMemoryError)?.kind == .noHostMemory(.noMemory)
        }
    }

    @Test func piecesComeInOrderAndAddUp() throws {
        let memory = try makeMemory()
        var pieces: [(count: Int, offset: Int)] = []
        try memory.withHostPieces(GuestAddress(0x1800), count: 0x1000) { pieces.append(($0.count, $1)) }
        #expect(pieces.map(\.count) == [0x800, 0x800])
        #expect(pieces.map(\.offset) == [0, 0x800])
    }
}
