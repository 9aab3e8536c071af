import Testing

@testable import VMMachine

@Suite struct DiagnosisTests {
    private func makeGuest(code: [UInt8] = [0x90]) throws -> GuestFixture {
        try GuestFixture(code: code)
    }

    private func sentence(_ guest: GuestFixture) -> String {
        guest.sentence
    }

    @Test(
        arguments: [
            ([0x0f, 0x0b], "ud2"), ([0x48, 0xf7, 0xf1], "divided by zero"),
            ([0xf7, 0x35, 0, 0, 0, 0], "divided by zero"),
            ([0xcc], "int3"), ([0xcd, 0x80], "int 0x80"),
        ] as [([UInt8], String)])
    func anInstructionThatFaultsIsNamed(_ code: [UInt8], _ name: String) throws {
        let text = sentence(try makeGuest(code: code))
        #expect(text.contains(name))
        #expect(text.contains("0x8000"))
        #expect(text.contains("no interrupt table is loaded"))
    }

    @Test func aNullPointerIsCalledOne() throws {
        var guest = try makeGuest(code: [0x48, 0x8b, 0x07])
        try guest.put(0, at: 0x4000)
        guest.special.cr2 = 0x10
        #expect(sentence(guest).contains("null pointer: accessed 0x10"))
    }

    @Test func runningIntoZerosIsCalledThat() throws {
        var guest = try makeGuest(code: [UInt8](repeating: 0, count: 16))
        try guest.put(0, at: 0x4000)
        guest.special.cr2 = 0x10
        guest.registers.rax = 0x10
        let text = sentence(guest)
        #expect(text.contains("ran into memory without code at 0x8000") && text.contains("access 0x10"))
    }

    @Test func runningOffTheStackIsCalledThat() throws {
        var guest = try makeGuest(code: [0x55])
        guest.special.cr2 = 0x8ff8
        try guest.put(0, at: 0x4000 + 8 * 8)
        guest.registers.rip = 0xa000
        try guest.memory.write([0x55], at: .init(0xa000))
        #expect(sentence(guest).contains("ran off its stack"))
    }

    @Test func aFetchFromAnUnmappedPageIsAJump() throws {
        var guest = try makeGuest()
        guest.registers.rip = 0x20_0000
        #expect(sentence(guest).contains("jumped to 0x200000, which is not mapped: its PD entry is not present"))
    }

    @Test func aFetchFromANonCanonicalAddressIsAJump() throws {
        var guest = try makeGuest()
        guest.registers.rip = 0x4141_4141_4141_4141
        #expect(sentence(guest).contains("no canonical address"))
    }

    @Test func aFetchFromWhereThereIsNoMemoryIsSaidToBe() throws {
        var guest = try makeGuest()
        try guest.put(0xdea0_0083, at: 0x3008)
        guest.registers.rip = 0x20_1000
        #expect(Diagnosis(view: guest.view).emulationFailure().contains("has no memory"))
    }

    @Test func aTableThatEndsTooEarlyIsSaidToEnd() throws {
        var guest = try makeGuest(code: [0x0f, 0x0b])
        guest.special.idt.base = 0xb000
        guest.special.idt.limit = 0x5f
        #expect(sentence(guest).contains("ends before vector 6"))
    }

    @Test func aGateThatIsNotPresentIsSaidToBe() throws {
        var guest = try makeGuest(code: [0x0f, 0x0b])
        guest.special.idt.base = 0xb000
        guest.special.idt.limit = 0xfff
        #expect(sentence(guest).contains("has no handler for vector 6"))
    }

    @Test func aHandlerThatIsNotMappedIsNamed() throws {
        var guest = try makeGuest(code: [0x0f, 0x0b])
        try guest.putGDT()
        guest.special.idt.base = 0xb000
        guest.special.idt.limit = 0xfff
        // An interrupt gate, present, to 0x08:0x00300000.
        try guest.put(0x0030_8e00_0008_0000, at: 0xb000 + 6 * 16)
        #expect(sentence(guest).contains("the handler of vector 6, at 0x300000, is not mapped"))
    }

    @Test func anUnusableStackIsBlamedWhenTheGatesAreFine() throws {
        var guest = try makeGuest(code: [0x0f, 0x0b])
        try guest.putGDT()
        guest.special.idt.base = 0xb000
        guest.special.idt.limit = 0xfff
        try guest.put(0x0000_8e00_0008_8000, at: 0xb000 + 6 * 16)
        guest.registers.rsp = 0x4000_0000
        #expect(sentence(guest).contains("its stack at 0x40000000 cannot take"))
    }

    @Test func hostileRegistersGiveASentenceAllTheSame() throws {
        for value in [0, 1, 0x8000_0000_0000_0000, .max] as [UInt64] {
            for mode in 0..<4 {
                var guest = try makeGuest()
                guest.registers.rip = value
                guest.registers.rsp = value
                guest.registers.rbp = value
                guest.special.cr2 = value
                guest.special.idt.base = value
                guest.special.idt.limit = .max
                guest.special.cs.base = value
                guest.special.ss.base = value
                if mode & 1 != 0 { guest.special.efer = 0 }
                if mode & 2 != 0 { guest.special.cr0 = 0 }
                #expect(!sentence(guest).isEmpty)
                #expect(!Diagnosis(view: guest.view).emulationFailure().isEmpty)
                let report = CrashReport(cause: .tripleFault, view: guest.view, others: [guest.view], history: [])
                #expect(!"\(report)".isEmpty)
            }
        }
    }
}
