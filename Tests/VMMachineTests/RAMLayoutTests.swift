import Testing
import VMMachine

@Suite struct RAMLayoutTests {
    @Test(arguments: [0x1000, 64 << 20, 3 << 30] as [UInt64])
    func littleMemoryIsInOnePiece(_ size: UInt64) {
        let ranges = RAMLayout.ranges(size: size)
        #expect(ranges.map(\.start.rawValue) == [0])
        #expect(ranges.map(\.count) == [size])
    }

    @Test func whatPassesTheHoleGoesAboveFourGiB() {
        let ranges = RAMLayout.ranges(size: 5 << 30)
        #expect(ranges.map(\.start.rawValue) == [0, 4 << 30])
        #expect(ranges.map(\.count) == [3 << 30, 2 << 30])
    }

    @Test func onePageMoreIsOnePageAbove() {
        #expect(RAMLayout.ranges(size: 3 << 30 | 0x1000).map(\.count) == [3 << 30, 0x1000])
    }

    @Test func theMostMemoryFitsTheLargestSlot() {
        let upper = RAMLayout.ranges(size: RAMLayout.largestSize(physicalAddressBits: 52)).last
        #expect(upper.map { $0.count >> 12 } == 1 << 31 - 1)
    }

    @Test(arguments: [(32, 3 << 30), (36, 63 << 30), (40, 1 << 40 - 1 << 30)] as [(Int, UInt64)])
    func theMostMemoryLeavesRoomForTheHole(_ bits: Int, _ size: UInt64) {
        #expect(RAMLayout.largestSize(physicalAddressBits: bits) == size)
        let end = RAMLayout.ranges(size: size).last?.last.rawValue
        #expect(end == (bits == 32 ? 3 << 30 : 1 << UInt64(bits)) - 1)
    }
}
