import Testing
import VMBoot

@testable import VMMachine

/// What the sentence says of the instruction that failed.
@Suite struct CrashReportFaultTests {
    @Test func `CR2 counts only where the instruction reaches for it`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x07])
        try guest.setPage(0, 0)
        guest.registers.rdi = 0x8000
        #expect(guest.sentence.hasPrefix("took an exception at 0x8000, but"))
        guest.special.cr2 = 0x10
        #expect(guest.sentence.hasPrefix("took an exception at 0x8000 (cr2 is 0x10, perhaps from earlier), but"))
        guest.registers.rdi = 0x10
        #expect(guest.sentence.hasPrefix("used a null pointer: accessed 0x10 at 0x8000, which is not mapped"))
    }

    @Test func `an address that is mapped again since is no fault`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x07])
        guest.registers.rdi = 0x7000
        guest.special.cr2 = 0x7000
        #expect(guest.sentence.hasPrefix("took an exception"))
    }

    @Test func `a stale address on the next page is not the operand's`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x07])
        guest.registers.rdi = 0x6ff0
        guest.special.cr2 = 0x7008
        try guest.setPage(0x7000, 0)
        #expect(guest.sentence.hasPrefix("took an exception"))
        guest.registers.rdi = 0x6ffc
        guest.special.cr2 = 0x7000
        #expect(guest.sentence.hasPrefix("accessed 0x7000 at 0x8000, which is not mapped"))
    }

    @Test func `a fault that delivery overwrote in CR2 is still seen`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x07])
        guest.special.idt.base = 0x30_0000
        guest.special.idt.limit = 0xfff
        guest.special.cr2 = 0x30_00e0
        guest.registers.rdi = 0x40_0000
        #expect(guest.sentence.hasPrefix("accessed 0x400000 at 0x8000, which is not mapped"))
        #expect(guest.sentence.contains("the interrupt table's entry for vector 14, at 0x3000e0, is not mapped"))
    }

    @Test func `writes to read-only pages and at CPL 3 to the kernel's are faults`() throws {
        var guest = try GuestFixture(code: [0x48, 0x89, 0x07])
        guest.registers.rdi = 0x7008
        guest.special.cr2 = 0x7008
        try guest.setPage(0x7000, 0x7001)
        #expect(guest.sentence.hasPrefix("accessed 0x7008 at 0x8000, which is read-only (#PF)"))
        try guest.enterUserMode()
        #expect(guest.sentence.contains("which is a read-only supervisor page, out of reach of CPL 3 (#PF)"))
    }

    @Test func `SMAP and reserved bits are named`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x07])
        guest.registers.rdi = 0x7000
        guest.special.cr2 = 0x7000
        guest.special.cr4 |= 1 << 21
        try guest.setPage(0x7000, 0x7007)
        #expect(guest.sentence.contains("which is a user page, and SMAP (CR4) forbids"))
        try guest.setPage(0x7000, 1 << 63 | 0x7003)
        #expect(
            guest.sentence.contains("has a reserved bit set in its PT entry: bit 63 (no-execute, which takes EFER.NXE)")
        )
    }

    @Test func `divisors are read, and stale CR2 does not hide them`() throws {
        var guest = try GuestFixture(code: [0xf7, 0x37])
        try guest.setPage(0, 0)
        guest.registers.rdi = 0x7000
        #expect(guest.sentence.hasPrefix("divided by zero (#DE) at 0x8000"))
        guest.special.cr2 = 0x10
        #expect(guest.sentence.hasPrefix("divided by zero"))
        try guest.put(3, at: 0x7000)
        guest.registers.rdx = 3
        #expect(guest.sentence.hasPrefix("divided by 0x3 to a quotient too large for its register (#DE)"))
        guest.registers.rdx = 2
        #expect(guest.sentence.hasPrefix("took an exception"))
    }

    @Test func `signed divisions overflow at half the range`() throws {
        var guest = try GuestFixture(code: [0x48, 0xf7, 0xf9])
        guest.registers.rcx = .max
        guest.registers.rax = 1 << 63
        guest.registers.rdx = .max
        #expect(guest.sentence.hasPrefix("divided by 0xffffffffffffffff to a quotient too large"))
        guest.registers.rax = 1 << 63 | 1
        #expect(guest.sentence.hasPrefix("took an exception"))
        var bytes = try GuestFixture(code: [0xf6, 0xf9])
        bytes.registers.rcx = 2
        bytes.registers.rax = 0x100
        #expect(bytes.sentence.hasPrefix("divided by 0x2 to a quotient too large"))
        bytes.registers.rax = 0xff
        #expect(bytes.sentence.hasPrefix("divided by 0x2") == false)
    }

    @Test(arguments: [[0x0f, 0x22, 0xd8], [0x0f, 0x22, 0xc0], [0x0f, 0x22, 0xdf]] as [[UInt8]])
    func `tables without the running code are not a jump`(_ code: [UInt8]) throws {
        var guest = try GuestFixture(code: code)
        guest.registers.rip = 0x8003
        try guest.setPage(0x8000, 0)
        #expect(guest.sentence.hasPrefix("could not fetch its next instruction at 0x8003, which is not mapped"))
        #expect(guest.sentence.contains("page tables were just loaded that do not map the running code"))
    }

    @Test func `code that loses its page in the middle of a function has not jumped`() throws {
        var guest = try GuestFixture(code: [0x90, 0x90, 0x90, 0x90])
        guest.registers.rip = 0x8003
        try guest.setPage(0x8000, 0)
        #expect(guest.sentence.hasPrefix("could not fetch its next instruction at 0x8003, which is not mapped"))
        #expect(!guest.sentence.contains("jumped"))
        guest.registers.rip = 0x9000
        try guest.setPage(0x9000, 0)
        try guest.setPage(0x8000, 0x8003)
        #expect(guest.sentence.hasPrefix("could not fetch its next instruction at 0x9000"))
    }

    @Test func `a call through a null pointer is a jump`() throws {
        var guest = try GuestFixture(code: [])
        try guest.setPage(0, 0)
        guest.registers.rip = 0
        #expect(guest.sentence.hasPrefix("jumped to 0x0 (a null pointer, perhaps), which is not mapped"))
    }

    @Test func `an instruction can end on a page that is not mapped`() throws {
        var guest = try GuestFixture(code: [])
        try guest.memory.write([0x48, 0x8b], at: .init(0x8ffe))
        try guest.setPage(0x9000, 0)
        guest.registers.rip = 0x8ffe
        #expect(guest.sentence.hasPrefix("could not fetch the rest of its instruction at 0x8ffe: 0x9000 is not mapped"))
    }

    @Test func `a push at the bottom of memory runs off the stack`() throws {
        var guest = try GuestFixture(code: [0x50])
        guest.registers.rsp = 0
        guest.special.cr2 = 0xffff_ffff_ffff_fff8
        #expect(
            guest.sentence.hasPrefix("ran off its stack at 0x8000: rsp is 0x0, and 0xfffffffffffffff8 is not mapped"))
        guest.registers.rsp = 0x4000_0000
        guest.special.cr2 = 0x3fff_fff8
        #expect(guest.sentence.hasPrefix("used a stack pointer that leads nowhere at 0x8000: rsp is 0x40000000"))
    }

    @Test func `a null pointer is one even when the stack is near`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x07])
        try guest.setPage(0, 0)
        guest.registers.rsp = 0x1000
        guest.special.cr2 = 8
        guest.registers.rdi = 8
        #expect(guest.sentence.hasPrefix("used a null pointer"))
    }

    @Test func `operands that are not canonical are named with their registers`() throws {
        var guest = try GuestFixture(code: [0x48, 0x8b, 0x47, 0x10])
        guest.registers.rdi = 0x4141_4141_4141_4141
        #expect(
            guest.sentence.hasPrefix(
                "used a non-canonical address in an operand at 0x8000: 0x4141414141414151 (rdi is 0x4141414141414141) (#GP)"
            ))
    }

    @Test func `unaligned vector operands are named`() throws {
        var guest = try GuestFixture(code: [0x0f, 0x28, 0x04, 0x24])
        guest.special.cr4 |= 1 << 9
        guest.registers.rsp = 0x8ff8
        #expect(guest.sentence.hasPrefix("accessed 0x8ff8, which is not aligned to 16 bytes, at 0x8000"))
    }

    @Test(
        arguments: [
            ([0x0f, 0x28, 0xc1], 0, 0, "CR4.OSFXSR clear: set it (bit 9) (#UD)"),
            ([0x66, 0x0f, 0xef, 0xc0], 1 << 2, 1 << 9, "CR0.EM set: clear it, and set CR4.OSFXSR (#UD)"),
            ([0x0f, 0x58, 0xc1], 1 << 3, 1 << 9, "CR0.TS set: clear it (clts) (#NM)"),
            ([0xc5, 0xf8, 0x28, 0xc1], 0, 1 << 9, "CR4.OSXSAVE clear: set it (bit 18), then XCR0 by xsetbv (#UD)"),
            ([0xd9, 0xe8], 1 << 2, 0, "CR0.EM set: clear it (#NM)"), ([0x0f, 0x01, 0xd1], 0, 0, "CR4.OSXSAVE clear"),
            ([0xf3, 0x0f, 0xae, 0xd0], 0, 0, "CR4.FSGSBASE clear"),
        ] as [([UInt8], UInt64, UInt64, String)])
    func `vector instructions say which bit to set`(_ code: [UInt8], cr0: UInt64, cr4: UInt64, _ text: String) throws {
        var guest = try GuestFixture(code: code)
        guest.special.cr0 |= cr0
        guest.special.cr4 |= cr4
        #expect(guest.sentence.contains("at 0x8000 with \(text)"), "\(guest.sentence)")
    }

    @Test(
        arguments: [
            [0xc4, 0xe2, 0x78, 0xf2, 0xc1], [0x0f, 0xc3, 0x07], [0xf2, 0x0f, 0x38, 0xf1, 0xc1],
            [0xf3, 0x0f, 0xb8, 0xc1],
        ]
            as [[UInt8]])
    func `instructions of the general registers need no such bit`(_ code: [UInt8]) throws {
        var guest = try GuestFixture(code: code)
        guest.registers.rdi = 0x7000
        #expect(guest.sentence.hasPrefix("took an exception"))
    }

    @Test func `returns to where no code can be are named`() throws {
        let guest = try GuestFixture(code: [0xc3])
        try guest.put(0xdead_beef_dead_beef, at: 0x9000)
        #expect(
            guest.sentence.hasPrefix("returned to 0xdeadbeefdeadbeef, which is no canonical address (#GP), at 0x8000"))
        var call = try GuestFixture(code: [0xff, 0xd0])
        call.registers.rax = 0x8000_0000_0000_0000
        #expect(call.sentence.hasPrefix("called 0x8000000000000000, which is no canonical address (#GP)"))
    }

    @Test(
        arguments: [
            (0x43, "code segment 0x43 at 0x8000: the GDT ends before selector 0x43 (limit 0x2f) (#GP)"),
            (0x0, "a null selector (#GP)"), (0x10, "which is a data segment (#GP)"), (0x20, "has DPL 3, not 0"),
        ] as [(UInt64, String)])
    func `iretq to a bad code segment is named`(_ selector: UInt64, _ text: String) throws {
        var guest = try GuestFixture(code: [0x48, 0xcf])
        try guest.putGDT()
        for (index, word) in [0x8000, selector, 2, 0x9000, 0x10].enumerated() {
            try guest.put(word, at: 0x9000 + UInt64(index) * 8)
        }
        #expect(guest.sentence.hasPrefix("returned by iret to"))
        #expect(guest.sentence.contains(text), "\(guest.sentence)")
    }

    @Test func `iretq to a bad stack segment is named, and iret for iretq`() throws {
        var guest = try GuestFixture(code: [0x48, 0xcf])
        try guest.putGDT()
        for (index, word) in ([0x8000, 0x23, 2, 0x9000, 0x10] as [UInt64]).enumerated() {
            try guest.put(word, at: 0x9000 + UInt64(index) * 8)
        }
        #expect(guest.sentence.contains("stack segment 0x10 at 0x8000, whose DPL 0 and RPL 0 are not both 3 (#GP)"))
        try guest.memory.write([0xcf], at: .init(0x8000))
        #expect(guest.sentence.contains("perhaps iretq was meant"))
    }

    @Test func `loads of bad segments are named`() throws {
        var guest = try GuestFixture(code: [0x8e, 0xd8])
        try guest.putGDT()
        guest.registers.rax = 0x30
        #expect(guest.sentence.hasPrefix("loaded ds with selector 0x30 at 0x8000: the GDT ends before selector 0x30"))
        guest.registers.rax = 0x10
        #expect(guest.sentence.hasPrefix("took an exception"))
        guest.special.gdt.base = 0x30_0000
        #expect(guest.sentence.contains("the GDT's entry for selector 0x10, at 0x300010, is not mapped"))
        var task = try GuestFixture(code: [0x0f, 0x00, 0xd8])
        try task.putGDT()
        task.registers.rax = 0x10
        #expect(task.sentence.contains("which is a data segment, not an available task state (#GP)"))
    }

    @Test(
        arguments: [
            ([0xf4], "hlt"), ([0x0f, 0x01, 0x1f], "lidt"), ([0x0f, 0x22, 0xd8], "mov to a control register"),
            ([0x0f, 0x30], "wrmsr"),
        ] as [([UInt8], String)])
    func `what is for the kernel alone is named at CPL 3`(_ code: [UInt8], _ name: String) throws {
        var guest = try GuestFixture(code: code)
        try guest.enterUserMode()
        #expect(guest.sentence.hasPrefix("executed \(name), which is for CPL 0 alone, at CPL 3 at 0x8000 (#GP)"))
    }

    @Test func `interrupts and ports at CPL 3 take IOPL`() throws {
        var guest = try GuestFixture(code: [0xfa])
        try guest.enterUserMode()
        #expect(guest.sentence.hasPrefix("executed cli at CPL 3 with IOPL 0 at 0x8000 (#GP)"))
        try guest.memory.write([0xee], at: .init(0x8000))
        #expect(guest.sentence.contains("the TSS's I/O bitmap perhaps does not allow (#GP)"))
        guest.registers.rflags |= 3 << 12
        #expect(guest.sentence.hasPrefix("took an exception"))
    }

    @Test func `an MSR that may not exist is named with its number`() throws {
        var guest = try GuestFixture(code: [0x0f, 0x30])
        guest.registers.rcx = 0xdead_beef
        guest.registers.rax = 1
        #expect(
            guest.sentence.contains(
                "wrmsr at 0x8000: the MSR 0xdeadbeef (ecx) perhaps does not exist, or refuses the value 0x1"))
    }

    @Test func `with interrupts on it may have been one of them`() throws {
        var guest = try GuestFixture(code: [0xf4])
        guest.registers.rflags |= 1 << 9
        #expect(guest.sentence.hasPrefix("took an interrupt or exception at 0x8000, but no interrupt table is loaded"))
    }

    @Test func `opcodes that 64-bit mode lacks are named`() throws {
        #expect(
            try GuestFixture(code: [0x60]).sentence.hasPrefix(
                "executed opcode 0x60, which 64-bit mode does not have (#UD)"))
        var guest = try GuestFixture(code: [0x0f, 0x05])
        #expect(guest.sentence.hasPrefix("executed syscall at 0x8000 with EFER.SCE clear (#UD)"))
        guest.special.efer |= 1
        #expect(guest.sentence.hasPrefix("took an exception"))
    }

    @Test func `outside 64-bit mode segments have limits`() throws {
        var guest = try GuestFixture(code: [0x8b, 0x07])
        guest.enterProtectedMode()
        guest.registers.rdi = 0x2000
        guest.special.ds.limit = 0xfff
        #expect(
            guest.sentence.hasPrefix("accessed offset 0x2000 of the segment ds at 0x8000, beyond its limit 0xfff (#GP)")
        )
        guest.special.ds.unusable = 1
        #expect(guest.sentence.hasPrefix("used the segment ds, which holds a null selector"))
    }

    @Test func `an operand without memory is why KVM had to emulate`() throws {
        var guest = try GuestFixture(code: [0xdb, 0x03])
        guest.registers.rbx = 0x7000
        #expect(
            Diagnosis(view: guest.view).emulationFailure().hasPrefix(
                "executed an instruction that the host's KVM cannot"))
        try guest.setPage(0x7000, 0xd000_0003)
        #expect(
            Diagnosis(view: guest.view).emulationFailure().hasPrefix(
                "accessed 0x7000 (guest-physical 0xd0000000, no memory there) at 0x8000 with an instruction"))
    }
}
