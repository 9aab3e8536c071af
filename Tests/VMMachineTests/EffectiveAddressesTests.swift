import Testing

@testable import VMMachine

@Suite struct EffectiveAddressesTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let code: [UInt8]
        /// Address, size in bytes, and whether it is written.
        let touched: [(UInt64, UInt64, Bool)]
        let name: String

        var testDescription: String { name }

        init(_ name: String, _ code: [UInt8], _ touched: [(UInt64, UInt64, Bool)]) {
            self.name = name
            self.code = code
            self.touched = touched
        }
    }

    static let long = [
        Case("mov (%rdi), %rax", [0x48, 0x8b, 0x07], [(0x7000, 8, false)]),
        Case("mov %al, 0x10(%rdi)", [0x88, 0x47, 0x10], [(0x7010, 1, true)]),
        Case("mov -8(%rbp), %eax", [0x8b, 0x45, 0xf8], [(0x9ff8, 4, false)]),
        Case("mov (%rax,%rcx,8), %rdx", [0x48, 0x8b, 0x14, 0xc8], [(0x1000 + 8 * 0x20, 8, false)]),
        Case("mov (%r12), %eax", [0x41, 0x8b, 0x04, 0x24], [(0xc000, 4, false)]),
        Case("mov 0x0(%r13), %eax", [0x41, 0x8b, 0x45, 0x00], [(0xd000, 4, false)]),
        Case("mov (%rax,%r12), %eax", [0x42, 0x8b, 0x04, 0x20], [(0x1000 + 0xc000, 4, false)]),
        Case("movl $1, 0x100(%rip)", [0xc7, 0x05, 0, 1, 0, 0, 1, 0, 0, 0], [(0x8000 + 10 + 0x100, 4, true)]),
        Case("testb $1, 0(%rip)", [0xf6, 0x05, 0, 0, 0, 0, 1], [(0x8007, 1, false)]),
        Case("mov 0x1000, %eax", [0x8b, 0x04, 0x25, 0, 0x10, 0, 0], [(0x1000, 4, false)]),
        Case("mov %fs:0x28, %rax", [0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0], [(0xf028, 8, false)]),
        Case("mov %ds:(%rdi), %eax", [0x3e, 0x8b, 0x07], [(0x7000, 4, false)]),
        Case("mov (%edi), %eax", [0x67, 0x8b, 0x07], [(0x7000, 4, false)]),
        Case("movabs 0x1122334455, %al", [0xa0, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0, 0], [(0x11_2233_4455, 1, false)]),
        Case("push %rax", [0x50], [(0x8ff8, 8, true)]),
        Case("push (%rdi)", [0xff, 0x37], [(0x7000, 8, false), (0x8ff8, 8, true)]),
        Case("call .", [0xe8, 0, 0, 0, 0], [(0x8ff8, 8, true)]),
        Case("pop %rax", [0x58], [(0x9000, 8, false)]),
        Case("ret", [0xc3], [(0x9000, 8, false)]),
        Case("leave", [0xc9], [(0xa000, 8, false)]),
        Case("iretq", [0x48, 0xcf], [(0x9000, 40, false)]),
        Case("enter", [0xc8, 0x10, 0, 0], [(0x8ff8, 8, true)]),
        Case("movsq", [0x48, 0xa5], [(0x6000, 8, false), (0x7000, 8, true)]),
        Case("rep stosb", [0xf3, 0xaa], [(0x7000, 1, true)]),
        Case("scasb", [0xae], [(0x7000, 1, false)]),
        Case("xlat", [0xd7], [(0x3000, 1, false)]),
        Case("movzbl (%rdi), %eax", [0x0f, 0xb6, 0x07], [(0x7000, 1, false)]),
        Case("movaps %xmm0, (%rdi)", [0x0f, 0x29, 0x07], [(0x7000, 16, true)]),
        Case("btsl %ecx, (%rdi)", [0x0f, 0xab, 0x0f], [(0x7004, 4, true)]),
        Case("vmovups (%r8), %ymm0", [0xc4, 0xc1, 0x7c, 0x10, 0x00], [(0x8800, 32, false)]),
        Case("lea (%rdi), %rax", [0x48, 0x8d, 0x07], []),
        Case("nopw (%rax)", [0x66, 0x0f, 0x1f, 0], []),
        Case("invlpg (%rdi)", [0x0f, 0x01, 0x3f], []),
        Case("mov %rax, %cr3", [0x0f, 0x22, 0xd8], []),
        Case("ud2", [0x0f, 0x0b], []),
        Case("mov %rdi, %rax", [0x48, 0x89, 0xf8], []),
        Case("an unfinished mov", [0x48, 0x8b, 0x80, 0x00], []),
    ]

    private func makeGuest() throws -> GuestFixture {
        var guest = try GuestFixture()
        guest.registers.rip = 0x8000
        guest.registers.rax = 0x1000
        guest.registers.rcx = 0x20
        guest.registers.rbx = 0x3000
        guest.registers.rsi = 0x6000
        guest.registers.rdi = 0x7000
        guest.registers.r8 = 0x8800
        guest.registers.rsp = 0x9000
        guest.registers.rbp = 0xa000
        guest.registers.r12 = 0xc000
        guest.registers.r13 = 0xd000
        guest.special.fs.base = 0xf000
        return guest
    }

    private func touched(_ code: [UInt8], _ cpu: CPUSnapshot) -> [MemoryAccess] {
        Instruction(code, bits: cpu.codeBits).map { EffectiveAddresses(instruction: $0, cpu: cpu).accesses } ?? []
    }

    private func expect(_ test: Case, _ cpu: CPUSnapshot) {
        let accesses = touched(test.code, cpu)
        #expect(accesses.map(\.linear) == test.touched.map(\.0), "\(test.name)")
        #expect(accesses.map(\.count) == test.touched.map(\.1), "\(test.name)")
        #expect(accesses.map { $0.kind == .write } == test.touched.map(\.2), "\(test.name)")
    }

    @Test(arguments: long) func `in 64-bit mode operands are where the processor finds them`(test: Case) throws {
        expect(test, try makeGuest().cpu)
    }

    @Test func `no repetitions touch nothing`() throws {
        var guest = try makeGuest()
        guest.registers.rcx = 0
        #expect(touched([0xf3, 0xaa], guest.cpu).isEmpty)
    }

    @Test func `bit offsets reach to both sides`() throws {
        var guest = try makeGuest()
        guest.registers.rcx = UInt64(bitPattern: -1)
        #expect(touched([0x0f, 0xab, 0x0f], guest.cpu).map(\.linear) == [0x6ffc])
    }

    @Test func `in 32-bit mode segments have bases and addresses end at 4 GiB`() throws {
        var guest = try makeGuest()
        guest.enterProtectedMode()
        guest.special.ds.base = 0x10_0000
        guest.special.ss.base = 0x20_0000
        expect(Case("mov (%edi), %eax", [0x8b, 0x07], [(0x10_7000, 4, false)]), guest.cpu)
        expect(Case("mov (%di), %eax", [0x67, 0x8b, 0x05], [(0x10_7000, 4, false)]), guest.cpu)
        expect(Case("push %eax", [0x50], [(0x20_8ffc, 4, true)]), guest.cpu)
        expect(Case("mov 4(%ebp), %eax", [0x8b, 0x45, 4], [(0x20_a004, 4, false)]), guest.cpu)
        expect(Case("les (%edi), %eax", [0xc4, 0x07], [(0x10_7000, 6, false)]), guest.cpu)
        expect(Case("mov 0xfffffff0, %al", [0xa0, 0xf0, 0xff, 0xff, 0xff], [(0xf_fff0, 1, false)]), guest.cpu)
    }

    @Test func `in real mode addresses have 16 bits`() throws {
        var guest = try makeGuest()
        guest.special.cr0 = 0
        guest.special.efer = 0
        guest.special.cs.l = 0
        guest.special.ds.base = 0x1_0000
        guest.registers.rsp = 0x1_0000
        expect(Case("mov (%bx,%si), %al", [0x8a, 0x00], [(0x1_9000, 1, false)]), guest.cpu)
        expect(Case("mov 0x1234, %ax", [0x8b, 0x06, 0x34, 0x12], [(0x1_1234, 2, false)]), guest.cpu)
        expect(Case("push %ax", [0x50], [(0xfffe, 2, true)]), guest.cpu)
        expect(Case("pushl %eax", [0x66, 0x50], [(0xfffc, 4, true)]), guest.cpu)
    }

    @Test func `lengths include prefixes and immediates`() {
        let codes: [[UInt8]] = [
            [0x90], [0x66, 0x81, 0x07, 1, 0], [0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8], [0x0f, 0x84, 0, 0, 0, 0],
            [0x66, 0x0f, 0x3a, 0x0f, 0xc1, 4], [0xe9, 0, 0, 0, 0], [0xc5, 0xfb, 0x70, 0xc1, 3], [0xc8, 0x10, 0, 0],
            [0x62, 0xf1, 0x7c, 0x48, 0x28, 0x40, 1],
        ]
        for code in codes { #expect(Instruction(code + [0xcc, 0xcc], bits: 64)?.length == code.count, "\(code)") }
    }

    @Test func `any bytes with any registers are survived`() throws {
        var random = SplitMix(state: 1)
        var guest = try makeGuest()
        for _ in 0..<20_000 {
            let code = (0..<15).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let value = random.next()
            guest.registers.rax = value
            guest.registers.rsp = ~value
            guest.registers.rip = value
            for bits in [16, 32, 64] {
                guard let instruction = Instruction(code, bits: bits) else { continue }
                #expect((1...15).contains(instruction.length))
                #expect(EffectiveAddresses(instruction: instruction, cpu: guest.cpu).accesses.count <= 2)
            }
        }
    }
}

/// The same numbers in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
