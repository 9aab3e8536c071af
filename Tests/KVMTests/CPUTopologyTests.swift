import CKVM
import KVM
import Testing

@Suite struct CPUTopologyTests {
    private func leaf(_ function: UInt32, _ index: UInt32 = 0, fill: UInt32 = 0) -> CPUIDEntry {
        var entry = CPUIDEntry()
        entry.function = function
        entry.index = index
        (entry.eax, entry.ebx, entry.ecx, entry.edx) = (fill, fill, fill, fill)
        return entry
    }

    @Test(arguments: [(0, 1), (1, 2), (2, 3), (3, 4), (200, 254)] as [(UInt32, Int)])
    func everyLeafThatHoldsAnAPICIdHoldsThisVCPUs(_ id: UInt32, _ count: Int) {
        let topology = CPUTopology(id: id, count: count)
        #expect(leaf(1).adapted(to: topology, hasLocalAPIC: true).ebx >> 24 == id)
        #expect(leaf(0xb, 0).adapted(to: topology, hasLocalAPIC: true).edx == id)
        #expect(leaf(0xb, 1).adapted(to: topology, hasLocalAPIC: true).edx == id)
        #expect(leaf(0x8000_001e).adapted(to: topology, hasLocalAPIC: true).eax == id)
    }

    @Test func theCoreLevelCountsTheVCPUsAndLeavesRoomForTheirIds() {
        let level = leaf(0xb, 1).adapted(to: CPUTopology(id: 0, count: 5), hasLocalAPIC: true)
        #expect(level.ebx == 5)
        #expect(level.eax == 3)
        #expect(level.ecx == 0x201)
    }

    @Test func aHypervisorSaysSo() {
        #expect(leaf(1).adapted(to: CPUTopology(id: 0, count: 1), hasLocalAPIC: true).ecx & 1 << 31 != 0)
    }

    @Test func withoutALocalAPICNoneIsClaimed() {
        let entry = leaf(1, fill: .max).adapted(to: CPUTopology(id: 0, count: 1), hasLocalAPIC: false)
        #expect(entry.edx & 1 << 9 == 0)
        #expect(entry.ecx & (1 << 21 | 1 << 24) == 0)
    }

    @Test func otherLeavesStayAsTheyAre() {
        let entry = leaf(7, fill: 0x1234_5678).adapted(to: CPUTopology(id: 3, count: 4), hasLocalAPIC: true)
        #expect((entry.eax, entry.ebx) == (0x1234_5678, 0x1234_5678))
    }

    @Test func vendorAndAddressWidthAreReadFromTheirLeaves() {
        var vendor = leaf(0)
        (vendor.ebx, vendor.edx, vendor.ecx) = (0x756e_6547, 0x4965_6e69, 0x6c65_746e)
        #expect([vendor].vendor == "GenuineIntel")
        #expect([leaf(0x8000_0008, fill: 46)].physicalAddressBits == 46)
        #expect([CPUIDEntry]().physicalAddressBits == 36)
    }
}
