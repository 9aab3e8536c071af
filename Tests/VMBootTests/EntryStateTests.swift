import Testing
import VMAddressSpace
import VMBoot

@Suite struct EntryStateTests {
    private static let binary = [UInt8](repeating: 0x90, count: 512)

    /// The four arguments as the tests' requests make them: command line, RAM, CPUs, time-stamp counter.
    private func expectArguments(_ values: [UInt64], _ plan: BootPlan, memory: UInt64) throws {
        #expect(Array(values.dropFirst()) == [memory, 3, 2_500_000])
        #expect(try plan.literal(at: values[0]).text(at: 0) == "guest one two")
    }

    private func expectClean(_ cpu: InitialCPUState) {
        #expect(cpu.rflags == 2)
        let others = cpu.registers
        #expect(
            [others.r8, others.r9, others.r10, others.r11, others.r12, others.r13, others.r14, others.r15, others.rbp]
                .allSatisfy { $0 == 0 })
        #expect(cpu.tr.attributes.rawValue == 0x8b)
    }

    private func expectFlatSegments(_ cpu: InitialCPUState, code: Segment) {
        #expect(cpu.cs == code)
        for segment in [cpu.ds, cpu.es, cpu.fs, cpu.gs, cpu.ss] {
            #expect(segment.selector == 0x10 && segment.base == 0 && segment.limit == .max)
            // Writable data at ring 0, present, 32-bit, counted in pages.
            #expect(segment.attributes.rawValue == 0xc093 && segment.attributes.privilegeLevel == 0)
        }
        #expect(cpu.idt.limit == 0)
    }

    @Test func `a boot sector starts as firmware starts it`() throws {
        let plan = try BootPlan(BootRequest(Self.binary, as: .flat16))
        let cpu = plan.cpu
        expectClean(cpu)
        #expect(cpu.mode == .real)
        #expect(cpu.cs.selector == 0 && cpu.cs.base == 0 && cpu.cs.limit == 0xffff && cpu.cs.attributes.type == 0xb)
        #expect(cpu.rip == 0x7c00)
        for segment in [cpu.ds, cpu.es, cpu.fs, cpu.gs, cpu.ss] {
            #expect(segment.selector == 0 && segment.base == 0 && segment.limit == 0xffff)
            #expect(!segment.attributes.contains(.default32Bit))
        }
        #expect(cpu.registers.rsp == 0x7c00)
        #expect(cpu.registers.rdx == 0x80)
        #expect(try plan.literal(at: cpu.registers.rsi).text(at: 0) == "guest one two")
        #expect(cpu.cr0 == 0x10 && cpu.cr3 == 0 && cpu.cr4 == 0 && cpu.efer == 0)
        #expect(cpu.idt == DescriptorTable(base: GuestAddress(0), limit: 0x3ff))
    }

    /// load address, entry, expected CS, expected IP
    @Test(
        arguments: [
            (0x500, nil, 0, 0x500), (0xff00, nil, 0, 0xff00), (0xff00, 0x1_0003, 0x1000, 3), (0x1_0000, nil, 0x1000, 0),
            (0x2_0008, 0x2_0010, 0x2000, 0x10), (0x9_0000, 0x9_01ff, 0x9000, 0x1ff),
        ] as [(UInt64, UInt64?, UInt16, UInt64)])
    func `real mode code elsewhere gets the segment that reaches it`(
        address: UInt64, entry: UInt64?, segment: UInt16, offset: UInt64
    ) throws {
        let request = BootRequest(Self.binary, as: .flat16, at: address, entry: entry)
        let plan = try BootPlan(request)
        expectSound(plan, request)
        #expect(plan.cpu.cs.selector == segment && plan.cpu.cs.base == UInt64(segment) << 4)
        #expect(plan.cpu.rip == offset)
        #expect(plan.cpu.registers.rsp == 0x7c00)
    }

    @Test func `real mode code that covers the usual stack and more gets another one`() throws {
        let request = BootRequest([UInt8](repeating: 0x90, count: 0x1_8000), as: .flat16, at: 0x500)
        let plan = try BootPlan(request)
        expectSound(plan, request)
        let cpu = plan.cpu
        let stack = AddressRange(start: GuestAddress(cpu.ss.base + cpu.registers.rsp - 4096), count: 4096)
        let image = try #require(plan.loads.first.flatMap(plan.range(of:)))
        #expect(stack.map { !$0.overlaps(image) } == true)
        let line = try plan.literal(at: cpu.ds.base + cpu.registers.rsi)
        #expect(line.text(at: 0) == "guest one two")
    }

    @Test(arguments: [
        (ImageFormat.flat32, [UInt8](repeating: 0x90, count: 512)), (.elf32, ELFBuilder(is64: false).bytes()),
    ])
    func `32-bit code starts in flat protected mode with its arguments`(format: ImageFormat, bytes: [UInt8]) throws {
        let request = BootRequest(bytes, as: format)
        let plan = try BootPlan(request)
        let cpu = plan.cpu
        expectSound(plan, request)
        expectClean(cpu)
        #expect(cpu.mode == .protected32)
        #expect(cpu.rip == 0x10_0000)
        #expect(
            cpu.cs.attributes.contains(.default32Bit) && !cpu.cs.attributes.contains(.long)
                && cpu.cs.attributes.type == 0xb && cpu.cs.selector == 8 && cpu.cs.limit == .max)
        expectFlatSegments(cpu, code: cpu.cs)
        #expect(cpu.cr0 == 0x11 && cpu.cr3 == 0 && cpu.cr4 == 0 && cpu.efer == 0)
        #expect(cpu.gdt.limit == 23)
        let gdt = try plan.literal(at: cpu.gdt.base.rawValue)
        #expect([0, 8, 16].map { gdt.number(at: $0) as UInt64 } == [0, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff])

        let registers = cpu.registers
        let values = [registers.rdi, registers.rsi, registers.rdx, registers.rcx]
        try expectArguments(values, plan, memory: 64 << 20)
        #expect((registers.rsp + 4) % 16 == 0)
        let frame = try plan.literal(at: registers.rsp)
        let returnAddress = UInt64(frame.number(at: 0, as: UInt32.self))
        #expect(try haltCode(at: returnAddress, plan) == [0xfa, 0xf4, 0xeb, 0xfd])
        #expect([4, 8, 12, 16].map { UInt64(frame.number(at: $0, as: UInt32.self)) } == values)
    }

    @Test(arguments: ImageFormat.allCases)
    func `a frequency learnt after planning is the same as one known before`(format: ImageFormat) throws {
        var bytes = Self.binary
        switch format {
        case .flat16, .flat32, .flat64: break
        case .elf32: bytes = ELFBuilder(is64: false).bytes()
        case .elf64: bytes = ELFBuilder().bytes()
        case .multiboot: bytes = MultibootBuilder.elf()
        }
        var request = BootRequest(bytes, as: format)
        request.tscKilohertz = 0
        var plan = try BootPlan(request)
        plan.setTSCFrequency(kilohertz: 2_300_000)
        request.tscKilohertz = 2_300_000
        let known = try BootPlan(request)
        #expect(plan.cpu == known.cpu)
        #expect(plan.loads == known.loads)
    }

    @Test func `32-bit code with more memory than it can count is told the most it can`() throws {
        let plan = try BootPlan(BootRequest(Self.binary, as: .flat32, memory: ram(8 << 30)))
        #expect(plan.cpu.registers.rsi == 0xffff_ffff)
        #expect(try BootPlan(BootRequest(Self.binary, as: .flat64, memory: ram(8 << 30))).cpu.registers.rsi == 8 << 30)
    }

    @Test(arguments: [(ImageFormat.flat64, [UInt8](repeating: 0x90, count: 512)), (.elf64, ELFBuilder().bytes())])
    func `64-bit code starts in long mode with its arguments`(format: ImageFormat, bytes: [UInt8]) throws {
        let request = BootRequest(bytes, as: format)
        let plan = try BootPlan(request)
        let cpu = plan.cpu
        expectSound(plan, request)
        expectClean(cpu)
        #expect(cpu.mode == .long64)
        #expect(cpu.rip == 0x10_0000)
        #expect(
            cpu.cs.attributes.contains(.long) && !cpu.cs.attributes.contains(.default32Bit) && cpu.cs.selector == 8
                && cpu.cs.attributes.type == 0xb)
        expectFlatSegments(cpu, code: cpu.cs)
        #expect(cpu.cr0 == 0x8001_0033 && cpu.cr4 == 0x620 && cpu.efer == 0x500)
        let gdt = try plan.literal(at: cpu.gdt.base.rawValue)
        #expect([0, 8, 16].map { gdt.number(at: $0) as UInt64 } == [0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff])

        let registers = cpu.registers
        try expectArguments([registers.rdi, registers.rsi, registers.rdx, registers.rcx], plan, memory: 64 << 20)
        #expect((registers.rsp + 8) % 16 == 0)
        let returnAddress: UInt64 = try plan.literal(at: registers.rsp).number(at: 0)
        #expect(try haltCode(at: returnAddress, plan) == [0xfa, 0xf4, 0xeb, 0xfd])
    }

    /// What an entry function returns to: it follows the GDT.
    private func haltCode(at address: UInt64, _ plan: BootPlan) throws -> [UInt8] {
        Array(try plan.literal(at: plan.cpu.gdt.base.rawValue).dropFirst(Int(address - plan.cpu.gdt.base.rawValue)))
    }

    @Test func `an image in page 0 or below the stack finds its pages mapped`() throws {
        for start in [0x800, 0xb000] as [UInt64] {
            let plan = try BootPlan(BootRequest(Self.binary, as: .flat64, at: start))
            let entry = Int(6 * 4096 + (start >> 12) * 8)
            #expect(try plan.literal(at: plan.cpu.cr3).number(at: entry, as: UInt64.self) == start & ~0xfff | 3)
        }
    }

    @Test func `the page tables map 4 GiB to themselves and nothing else`() throws {
        let plan = try BootPlan(BootRequest(Self.binary, as: .flat64))
        let base = plan.cpu.cr3
        let tables = try plan.literal(at: base)
        #expect(base % 4096 == 0)

        func entry(_ table: UInt64, _ index: UInt64) -> UInt64 {
            let offset = Int((table & ~0xfff) - base + index * 8)
            return tables.indices.contains(offset) ? tables.number(at: offset) : 0
        }
        func translate(_ address: UInt64) -> UInt64? {
            let level4 = entry(base, address >> 39 & 511)
            guard level4 & 3 == 3 else { return nil }
            let level3 = entry(level4, address >> 30 & 511)
            guard level3 & 3 == 3, level3 & 0x80 == 0 else { return nil }
            let level2 = entry(level3, address >> 21 & 511)
            guard level2 & 3 == 3 else { return nil }
            if level2 & 0x80 != 0 { return level2 & 0xf_ffff_ffe0_0000 | address & 0x1f_ffff }
            let level1 = entry(level2, address >> 12 & 511)
            return level1 & 3 == 3 ? level1 & 0xf_ffff_ffff_f000 | address & 0xfff : nil
        }
        // Null pointers and a stack that runs over find nothing.
        for page in [0, 0xb000] as [UInt64] { #expect(translate(page) == nil && translate(page | 0xfff) == nil) }
        let small = (0..<(512 as UInt64)).map { $0 << 12 | 0x234 }.filter { ![0, 0xb].contains($0 >> 12) }
        for address in small + (1..<(2048 as UInt64)).map({ $0 << 21 | 0x1234 }) {
            if translate(address) != address { Issue.record("\(address) is not mapped to itself") }
        }
        for address in [1 << 32, 1 << 39, 0xffff_8000_0000_0000] as [UInt64] {
            #expect(translate(address) == nil)
        }
    }

    @Test func `a Multiboot kernel starts in the state of the specification`() throws {
        for bytes in [MultibootBuilder.elf(), MultibootBuilder.elf(is64: true), MultibootBuilder.kernel()] {
            let request = BootRequest(bytes)
            let plan = try BootPlan(request)
            let cpu = plan.cpu
            expectSound(plan, request)
            expectClean(cpu)
            #expect(cpu.mode == .protected32)
            #expect(cpu.registers.rax == 0x2bad_b002)
            expectFlatSegments(cpu, code: cpu.cs)
            #expect(cpu.cs.attributes.contains(.default32Bit) && !cpu.cs.attributes.contains(.long))
            #expect(cpu.cr0 == 0x11 && cpu.efer == 0)
            #expect(cpu.rip == plan.entry.rawValue)
        }
    }
}
