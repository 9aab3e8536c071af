import Testing

@testable import VMMachine

/// What the sentence says of the way to the handler.
@Suite struct CrashReportDeliveryTests {
    private func makeGuest() throws -> GuestFixture {
        var guest = try GuestFixture(code: [0x0f, 0x0b])
        try guest.putHandlers()
        return guest
    }

    @Test func `handlers without fault leave only that there were more exceptions`() throws {
        #expect(
            try makeGuest().sentence.hasSuffix(
                "and more exceptions came while that one was being delivered: a triple fault"))
    }

    @Test(
        arguments: [
            (
                0x38,
                "the GDT ends before selector 0x38 (limit 0x2f), which the interrupt table's entry for vector 6 names"
            ),
            (0x10, "names selector 0x10, which is a data segment, not a code segment"),
            (0x28, "names selector 0x28, which is no 64-bit code segment"),
            (0x20, "names selector 0x20, which is a code segment of DPL 3"), (0, "has a null code segment"),
            (0xc, "no LDT is loaded for selector 0xc"),
        ] as [(UInt64, String)])
    func `a gate's segment must be code that can be entered`(_ selector: UInt64, _ text: String) throws {
        var guest = try makeGuest()
        try guest.putHandlers(selector: selector)
        #expect(guest.sentence.contains(text), "\(guest.sentence)")
        #expect(guest.sentence.contains("likewise for the double fault (vector 8)"))
    }

    @Test func `a handler's page must be executable`() throws {
        var guest = try makeGuest()
        guest.special.efer |= 1 << 11
        try guest.setPage(0xf000, 1 << 63 | 0xf003)
        #expect(guest.sentence.contains("the handler of vector 6, at 0xf000, is not executable (no-execute is set)"))
        try guest.setPage(0xf000, 0xf007)
        guest.special.cr4 |= 1 << 20
        #expect(guest.sentence.contains("the handler of vector 6, at 0xf000, is a user page, and SMEP"))
    }

    @Test func `16-bit gates have 16 bits of offset`() throws {
        #expect(InterruptGate(low: 0x1234_8600_0008_5678, high: 0).offset == 0x5678)
        #expect(InterruptGate(low: 0x1234_8e00_0008_5678, high: 0).offset == 0x1234_5678)
    }

    @Test func `an exception at CPL 3 needs a task state`() throws {
        var guest = try makeGuest()
        try guest.enterUserMode()
        #expect(
            guest.sentence.contains("no task state segment (TSS) is loaded to take the handler's stack (RSP0) from"))
        guest.special.tr.selector = 0x30
        guest.special.tr.present = 1
        guest.special.tr.base = 0x40_0000
        guest.special.tr.limit = 0x67
        #expect(guest.sentence.contains("the TSS's RSP0, at 0x400004, is not mapped"))
        guest.special.tr.base = GuestFixture.taskState
        try guest.put(0x50_0000, at: GuestFixture.taskState + 4)
        #expect(
            guest.sentence.contains(
                "the handler's stack at 0x500000 (RSP0 of the TSS) is no good: 0x4fffff is not mapped"))
        try guest.put(0xe000, at: GuestFixture.taskState + 4)
        #expect(guest.sentence.contains("and more exceptions came"))
        guest.special.tr.limit = 3
        #expect(guest.sentence.contains("the TSS ends before its RSP0 (limit 0x3)"))
    }

    @Test func `a gate can take its stack from the interrupt stack table`() throws {
        var guest = try makeGuest()
        try guest.putHandlers(interruptStack: 2)
        guest.special.tr.selector = 0x30
        guest.special.tr.present = 1
        guest.special.tr.base = GuestFixture.taskState
        guest.special.tr.limit = 0x67
        try guest.put(0x8000_0000_0000_0000, at: GuestFixture.taskState + 44)
        #expect(guest.sentence.contains("the TSS's IST2 is 0x8000000000000000, which is not canonical"))
    }

    @Test func `in 32-bit mode the task state holds ESP0 and SS0`() throws {
        var guest = try GuestFixture(code: [0x0f, 0x0b])
        guest.enterProtectedMode()
        try guest.putGDT()
        guest.special.ss.dpl = 3
        guest.special.idt.base = GuestFixture.idt
        guest.special.idt.limit = 0x7ff
        for vector in 0..<256 as Range<UInt64> {
            try guest.put(0x0000_8e00_0028_f000, at: GuestFixture.idt + vector * 8)
        }
        guest.special.tr.selector = 0x30
        guest.special.tr.present = 1
        guest.special.tr.type = 11
        guest.special.tr.base = GuestFixture.taskState
        guest.special.tr.limit = 0x67
        #expect(guest.sentence.contains("the TSS's SS0 is null"))
        try guest.put(0x10_0000_9000, at: GuestFixture.taskState + 4)
        #expect(guest.sentence.contains("and more exceptions came"), "\(guest.sentence)")
        try guest.put(0x18_0000_9000, at: GuestFixture.taskState + 4)
        #expect(guest.sentence.contains("the TSS's SS0, selector 0x18, is no writable data segment of DPL 0"))
    }

    @Test func `an int that its gate does not allow is a protection fault`() throws {
        var guest = try makeGuest()
        try guest.memory.write([0xcd, 0x80], at: .init(0x8000))
        try guest.enterUserMode()
        #expect(guest.sentence.hasPrefix("executed int 0x80 at CPL 3, whose gate has DPL 0 (#GP), at 0x8000"))
    }

    @Test func `an event that KVM cannot deliver is checked like any other`() throws {
        var guest = try makeGuest()
        guest.special.idt.base = 0x7000
        try guest.setPage(0x7000, 0xd000_0003)
        let text = Diagnosis(view: guest.view).deliveryFailure([0x8000_0b0e, 0x30])
        #expect(
            text.hasPrefix(
                "could not enter the handler of vector 14 at 0x8000: the interrupt table's entry for vector 14"))
        #expect(
            text.hasSuffix(
                "has no memory behind it (guest-physical 0xd00000e0) (KVM internal error, suberror 3, data 0x80000b0e 0x30)"
            ))
        #expect(Diagnosis(view: try makeGuest().view).deliveryFailure([]).contains("has perhaps no memory behind it"))
    }
}
