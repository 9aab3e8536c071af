import Testing

@testable import VMMachine

@Suite struct PageWalkTests {
    @Test func withPagingOffAnAddressIsItself() throws {
        var guest = try GuestFixture()
        guest.special.cr0 = 1
        guest.special.efer = 0
        #expect(guest.view.walk(0x1234).result == .mapped(physical: 0x1234, pageSize: 0))
    }

    @Test func fourLevelsLeadToAPage() throws {
        let guest = try GuestFixture()
        try guest.mapIdentity()
        let walk = guest.view.walk(0x7123)
        #expect(walk.result == .mapped(physical: 0x7123, pageSize: 0x1000))
        #expect(walk.steps.map(\.level) == [.pml4, .pdpt, .directory, .table])
        #expect(walk.steps.map(\.index) == [0, 0, 0, 7])
        #expect(walk.isWritable && !walk.isUser && walk.isExecutable)
    }

    @Test func everyLevelCanBeMissing() throws {
        let levels: [(UInt64, PageWalk.Level)] = [
            (0x1000, .pml4), (0x2000, .pdpt), (0x3000, .directory), (0x4000, .table),
        ]
        for (table, level) in levels {
            let guest = try GuestFixture()
            try guest.mapIdentity()
            try guest.put(0, at: table)
            #expect(guest.view.walk(0).result == .notPresent(level))
        }
    }

    @Test func largePagesEndTheWalkEarly() throws {
        let guest = try GuestFixture()
        try guest.put(0x2003, at: 0x1000)
        try guest.put(0x3003, at: 0x2000)
        try guest.put(0x20_0083, at: 0x3008)
        try guest.put(0x4000_0083, at: 0x2008)
        #expect(guest.view.walk(0x20_1234).result == .mapped(physical: 0x20_1234, pageSize: 2 << 20))
        #expect(guest.view.walk(0x4567_89ab).result == .mapped(physical: 0x4567_89ab, pageSize: 1 << 30))
    }

    @Test func tablesOutsideMemoryAreSaidToBe() throws {
        let guest = try GuestFixture()
        try guest.put(0x7fff_f003, at: 0x1000)
        #expect(guest.view.walk(0).result == .tableOutsideMemory(.pdpt, address: 0x7fff_f000))
    }

    @Test func tablesThatPointAtThemselvesEnd() throws {
        let guest = try GuestFixture()
        try guest.put(0x1003, at: 0x1000)
        #expect(guest.view.walk(0).result == .mapped(physical: 0x1000, pageSize: 0x1000))
    }

    @Test(arguments: [0x0000_8000_0000_0000, 0xffff_7fff_ffff_ffff, 0x4141_4141_4141_4141] as [UInt64])
    func addressesWithoutTheSignRepeatedAreNotCanonical(_ address: UInt64) throws {
        #expect(try GuestFixture().view.walk(address).result == .nonCanonical)
    }

    @Test func fiveLevelsReachFurther() throws {
        var guest = try GuestFixture()
        guest.special.cr4 |= 1 << 12
        try guest.put(0x5003, at: 0x1008)
        let walk = guest.view.walk(0x0001_0000_0000_0000)
        #expect(walk.steps.first?.level == .pml5 && walk.steps.first?.index == 1)
        #expect(walk.result == .notPresent(.pml4))
    }

    @Test func thirtyTwoBitPagingHasTwoLevelsAndFourMiBPages() throws {
        var guest = try GuestFixture()
        guest.special.efer = 0
        guest.special.cr4 = 1 << 4
        guest.special.cs.l = 0
        try guest.put32(0x2003, at: 0x1000)
        try guest.put32(0x5003, at: 0x2004)
        try guest.put32(0x0040_2083, at: 0x1004)
        #expect(guest.view.walk(0x1abc).result == .mapped(physical: 0x5abc, pageSize: 0x1000))
        #expect(guest.view.walk(0x40_1234).result == .mapped(physical: 0x1_0040_1234, pageSize: 4 << 20))
    }

    @Test func paePagingHasThreeLevelsAndNoPermissionsInTheFirst() throws {
        var guest = try GuestFixture()
        guest.special.efer = 0
        guest.special.cs.l = 0
        guest.special.cr3 = 0x1020
        try guest.put(0x2001, at: 0x1020)
        try guest.put(0x3003, at: 0x2000)
        try guest.put(0x6003, at: 0x3000)
        let walk = guest.view.walk(0x123)
        #expect(walk.result == .mapped(physical: 0x6123, pageSize: 0x1000))
        #expect(walk.isWritable)
    }

    @Test func permissionsAreThoseThatAllLevelsGive() throws {
        var guest = try GuestFixture()
        guest.special.efer |= 1 << 11
        try guest.mapIdentity()
        try guest.put(0x2007, at: 0x1000)
        try guest.put(0x3005, at: 0x2000)
        try guest.put(1 << 63 | 0x4007, at: 0x3000)
        try guest.put(0x7, at: 0x4000)
        let walk = guest.view.walk(0)
        #expect(walk.isUser && !walk.isWritable && !walk.isExecutable)
    }

    @Test func noExecuteIsReservedUntilItIsTurnedOn() throws {
        var guest = try GuestFixture()
        try guest.mapIdentity()
        try guest.setPage(0x7000, 1 << 63 | 0x7003)
        #expect(guest.view.walk(0x7000).result == .reservedBit(.table, bit: 63))
        let lines = PageWalkText.section("walk", 0x7000, guest.view).lines
        #expect(lines.last == "=> RESERVED BIT SET: bit 63 of the PT entry (no-execute, which takes EFER.NXE)")
        guest.special.efer |= 1 << 11
        #expect(guest.view.walk(0x7000).result == .mapped(physical: 0x7000, pageSize: 0x1000))
    }

    @Test func addressBitsThatTheProcessorDoesNotHaveAreReserved() throws {
        var guest = try GuestFixture()
        try guest.mapIdentity()
        try guest.setPage(0x7000, 1 << 45 | 0x7003)
        #expect(guest.view.walk(0x7000).result == .mapped(physical: 1 << 45 | 0x7000, pageSize: 0x1000))
        guest.physicalAddressBits = 40
        #expect(guest.view.walk(0x7000).result == .reservedBit(.table, bit: 45))
    }

    @Test func topLevelEntriesCannotBeLargePages() throws {
        let guest = try GuestFixture()
        try guest.put(0x2083, at: 0x1000)
        #expect(guest.view.walk(0).result == .reservedBit(.pml4, bit: 7))
    }

    @Test func largePagesMustBeAligned() throws {
        let guest = try GuestFixture()
        try guest.put(0x2003, at: 0x1000)
        try guest.put(0x3003, at: 0x2000)
        try guest.put(0x21_0083, at: 0x3008)
        try guest.put(0x4020_0083, at: 0x2008)
        #expect(guest.view.walk(0x20_0000).result == .reservedBit(.directory, bit: 16))
        #expect(guest.view.walk(0x4000_0000).result == .reservedBit(.pdpt, bit: 21))
    }

    @Test func theFirstEntriesOfPAEPagingHaveNoRights() throws {
        var guest = try GuestFixture()
        guest.special.efer = 0
        guest.special.cs.l = 0
        try guest.put(0x2001, at: 0x1000)
        try guest.put(0x20_0083, at: 0x2008)
        let lines = PageWalkText.section("walk", 0x20_0000, guest.view).lines
        #expect(lines.first?.hasSuffix("= 0000000000002001  present") == true)
        #expect(lines.dropFirst().first?.hasSuffix("writable, supervisor, large page") == true)
        try guest.put(0x2003, at: 0x1000)
        #expect(guest.view.walk(0).result == .reservedBit(.pdpt, bit: 1))
    }

    @Test func entriesOfFourBytesArePrintedInEightDigits() throws {
        var guest = try GuestFixture()
        guest.special.efer = 0
        guest.special.cr4 = 0
        guest.special.cs.l = 0
        try guest.put32(0x2003, at: 0x1000)
        try guest.put32(0x5083, at: 0x2000)
        let lines = PageWalkText.section("walk", 0, guest.view).lines
        #expect(lines.first == "PD[0]     at 0x1000 = 00002003  writable, supervisor")
        #expect(lines.dropFirst().first?.hasSuffix("= 00005083  writable, supervisor, PAT") == true)
    }

    @Test func theKernelIsKeptOutOfUserPagesWhereItSaysSo() throws {
        var guest = try GuestFixture()
        try guest.mapIdentity()
        try guest.setPage(0x7000, 0x7007)
        let walk = guest.view.walk(0x7000)
        #expect(walk.objection(to: .fetch, by: guest.cpu) == nil)
        guest.special.cr4 |= 1 << 20 | 1 << 21
        #expect(walk.objection(to: .fetch, by: guest.cpu)?.contains("SMEP") == true)
        #expect(walk.objection(to: .read, by: guest.cpu)?.contains("SMAP") == true)
        guest.registers.rflags |= 1 << 18
        #expect(walk.objection(to: .read, by: guest.cpu) == nil)
        guest.special.ss.dpl = 3
        #expect(walk.objection(to: .fetch, by: guest.cpu) == nil)
    }

    @Test func aReadOnlySupervisorPageIsCalledBoth() throws {
        var guest = try GuestFixture()
        try guest.mapIdentity()
        try guest.setPage(0x7000, 0x7001)
        guest.special.ss.dpl = 3
        let objection = guest.view.walk(0x7000).objection(to: .write, by: guest.cpu)
        #expect(objection == "is a read-only supervisor page, out of reach of CPL 3")
    }

    @Test func everyRegisterValueEndsTheWalk() throws {
        for cr3 in [0, 0xfff, 0x000f_ffff_ffff_f000, .max] as [UInt64] {
            for cr4 in [0, 1 << 4, 1 << 5, 1 << 5 | 1 << 12, .max] as [UInt64] {
                for efer in [0, 1 << 10, .max] as [UInt64] {
                    var guest = try GuestFixture()
                    guest.special.cr3 = cr3
                    guest.special.cr4 = cr4
                    guest.special.efer = efer
                    for linear in [0, 0xffff_ffff, 0x7fff_ffff_ffff, .max] as [UInt64] { _ = guest.view.walk(linear) }
                }
            }
        }
    }
}
