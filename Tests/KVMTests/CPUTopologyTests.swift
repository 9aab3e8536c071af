import CKVM
import Testing

@testable import KVM

@Suite struct CPUTopologyTests {
    private func leaf(_ function: UInt32, _ index: UInt32 = 0, fill: UInt32 = 0) -> CPUIDEntry {
        var entry = CPUIDEntry()
        entry.function = function
        entry.index = index
        (entry.eax, entry.ebx, entry.ecx, entry.edx) = (fill, fill, fill, fill)
        return entry
    }

    private func adapted(
        _ leaves: [CPUIDEntry], id: UInt32 = 0, of count: Int = 1, hasLocalAPIC: Bool = true, deadline: Bool = false
    ) -> [CPUIDEntry] {
        leaves.adapted(
            to: CPUTopology(id: id, count: count), hasLocalAPIC: hasLocalAPIC, hasTSCDeadlineTimer: deadline)
    }

    @Test(arguments: [(0, 1), (1, 2), (2, 3), (3, 4), (200, 254)] as [(UInt32, Int)])
    func everyLeafThatHoldsAnAPICIdHoldsThisVCPUs(_ id: UInt32, _ count: Int) {
        let leaves = adapted([leaf(1), leaf(0xb), leaf(0x8000_001e)], id: id, of: count)
        #expect(leaves[0].ebx >> 24 == id)
        #expect(leaves.filter { $0.function == 0xb }.allSatisfy { $0.edx == id })
        #expect(leaves.first { $0.function == 0x8000_001e }?.eax == id)
    }

    @Test func theTopologyLeafGetsItsCoreLevelThoughTheHostListsNone() {
        let levels = adapted([leaf(0xb)], id: 3, of: 5)
        #expect(levels.map(\.index) == [0, 1, 2])
        #expect(levels.map { $0.ecx >> 8 } == [1, 2, 0])
        #expect(levels.map(\.ebx) == [1, 5, 0])
        #expect(levels[1].eax == 3)
        #expect(levels.allSatisfy { $0.flags & 1 == 1 })
    }

    @Test func theTopologyLeavesOfAHostWithMoreLevelsSayTheMachinesOwn() {
        let host =
            (0..<UInt32(4)).map { leaf(0x1f, $0, fill: 0x5a5a_5a5a) } + [leaf(0xb), leaf(0xb, 1), leaf(0xb, 0x128)]
        let leaves = adapted(host, id: 3, of: 5)
        let levels = leaves.filter { $0.function == 0x1f }
        #expect(levels.map(\.index) == [0, 1, 2, 3])
        // From the third on, each is the end.
        #expect(levels.map(\.ecx) == [0x100, 0x201, 2, 3])
        #expect(levels.map(\.ebx) == [1, 5, 0, 0])
        #expect(levels.map(\.eax) == [0, 3, 0, 0])
        #expect(leaves.filter { $0.function == 0xb }.map(\.index).sorted() == [0, 1, 2, 0x128])
        #expect(leaves.last { $0.function == 0xb && $0.index == 0x128 }?.ecx == 0x28)
        #expect(leaves.allSatisfy { $0.edx == 3 })
    }

    @Test func aHostWithoutTopologyLeavesGetsNone() {
        #expect(adapted([leaf(1), leaf(7)], id: 3, of: 5).map(\.function) == [1, 7])
    }

    @Test func cachesBelowTheLastLevelAreACoresOwn() {
        let leaves = adapted([leaf(4, 0, fill: 0xffff_c021), leaf(4, 3, fill: 0xffff_c063), leaf(4, 4)], of: 4)
        #expect(leaves[0].eax >> 14 & 0xfff == 0)
        #expect(leaves[1].eax >> 14 & 0xfff == 3)
        #expect(leaves[2].eax == 0)
    }

    @Test func aHypervisorSaysSo() {
        #expect(adapted([leaf(1)])[0].ecx & 1 << 31 != 0)
    }

    @Test func theAPICTimerByDeadlineIsOfferedWhereTheKernelHasIt() {
        #expect(adapted([leaf(1)], deadline: true)[0].ecx & 1 << 24 != 0)
        #expect(adapted([leaf(1)])[0].ecx & 1 << 24 == 0)
    }

    @Test func withoutALocalAPICNoneIsClaimed() {
        let entry = adapted([leaf(1, fill: .max)], hasLocalAPIC: false, deadline: true)[0]
        #expect(entry.edx & 1 << 9 == 0)
        #expect(entry.ecx & (1 << 21 | 1 << 24) == 0)
    }

    @Test func otherLeavesStayAsTheyAre() {
        let entry = adapted([leaf(7, fill: 0x1234_5678)], id: 3, of: 4)[0]
        #expect((entry.eax, entry.ebx) == (0x1234_5678, 0x1234_5678))
    }

    @Test func noNumberOfCPUsTraps() {
        for count in [-1, 0, 1, 255, 1 << 20] {
            _ = adapted(
                [leaf(1, fill: .max), leaf(4, fill: .max), leaf(0xb), leaf(0x8000_0008, fill: .max)], of: count)
        }
    }

    @Test func vendorAndAddressWidthAreReadFromTheirLeaves() {
        var vendor = leaf(0)
        (vendor.ebx, vendor.edx, vendor.ecx) = (0x756e_6547, 0x4965_6e69, 0x6c65_746e)
        #expect([vendor].vendor == "GenuineIntel")
        #expect([leaf(0x8000_0008, fill: 46)].physicalAddressBits == 46)
        #expect([CPUIDEntry]().physicalAddressBits == 36)
    }

    @Test func leavesThatTheKernelDidNotFillInAreNone() {
        let filled = [leaf(0, fill: 0x10), leaf(7), leaf(0x14, 1)]
        let empty = [CPUIDEntry](repeating: CPUIDEntry(), count: 3)
        #expect((filled + empty).withoutEmptyTail().map(\.function) == [0, 7, 0x14])
        #expect(filled.withoutEmptyTail().count == 3)
        #expect(empty.withoutEmptyTail().isEmpty)
    }
}
