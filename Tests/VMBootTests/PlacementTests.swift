import Testing
import VMAddressSpace
import VMBoot

@Suite struct PlacementTests {
    private func elf(_ segments: [(UInt64, UInt64)]) -> [UInt8] {
        var builder = ELFBuilder()
        builder.segments = segments.map { .init(physical: $0.0, bytes: [1], memorySize: $0.1) }
        builder.entry = segments[0].0
        return builder.bytes()
    }

    @Test func `without anything in the way the structures have fixed places in low memory`() throws {
        let cpu = try BootPlan(BootRequest(ELFBuilder().bytes())).cpu
        #expect(cpu.gdt.base == GuestAddress(0x8000))
        #expect(cpu.cr3 == 0x1000)
        #expect(cpu.registers.rdi == 0x8100)
        #expect(cpu.registers.rsp == 0x2_0000 - 8)
        let multiboot = try BootPlan(BootRequest(MultibootBuilder.elf())).cpu
        #expect(multiboot.gdt.base == GuestAddress(0x500))
        #expect(multiboot.registers.rbx == 0xa000)
    }

    @Test func `only what is in the way of the image moves, to the lowest free page`() throws {
        let request = BootRequest(elf([(0x8100, 0x100)]))
        let plan = try BootPlan(request)
        expectSound(plan, request)
        #expect(plan.cpu.gdt.base == GuestAddress(0x8000))
        #expect(plan.cpu.cr3 == 0x1000)
        #expect(plan.cpu.registers.rdi == 0x9000)
    }

    @Test func `an image over all of low memory moves everything above it`() throws {
        let request = BootRequest(elf([(0, 0x20_0000)]))
        let plan = try BootPlan(request)
        expectSound(plan, request)
        for address in [plan.cpu.gdt.base.rawValue, plan.cpu.cr3, plan.cpu.registers.rdi] {
            #expect(address >= 0x20_0000 && address % 4096 == 0)
        }
    }

    @Test func `nothing is put into the range that PCs reserve below 1 MiB`() throws {
        let request = BootRequest(elf([(0x500, 0x9_fb00)]))
        #expect(try BootPlan(request).cpu.cr3 == 0x10_1000)
    }

    @Test func `every image of one page finds its structures beside it`() throws {
        for page in (0 as UInt64)..<48 {
            let request = BootRequest(elf([(page << 12, 0x1000)]), memory: ram(256 << 10))
            expectSound(try BootPlan(request), request)
        }
    }

    @Test func `the stack is clear of everything`() throws {
        for start in [0x1_0000, 0x1_ff00, 0x1000] as [UInt64] {
            let plan = try BootPlan(BootRequest(elf([(start, 0x1_0000)])))
            let top = plan.cpu.registers.rsp
            let stack = try #require(AddressRange(start: GuestAddress(top + 8 - 0x4000), count: 0x3ff8))
            #expect(!plan.loads.compactMap(plan.range(of:)).contains { $0.overlaps(stack) })
        }
    }

    @Test(
        arguments: [
            (.flat64, 0x8000, 40 << 10), (.flat32, 0x1000, 12 << 10),
            (.flat16, 0x7c00, 32 << 10),
        ] as [(ImageFormat, UInt64, UInt64)])
    func `memory that is too small is enlarged by what the error says`(
        format: ImageFormat, address: UInt64, size: UInt64
    ) throws {
        let bytes = [UInt8](repeating: 0x90, count: 8 << 10)
        var request = BootRequest(bytes, as: format, at: address, memory: ram(size))
        let error = try #require(planningError(request))
        #expect(error.kind == .doesNotFit)
        let advised = try #require(error.message.firstMatch(of: /-m (\d+)M/).flatMap { UInt64($0.1) })
        request.memory = ram(advised << 20)
        expectSound(try BootPlan(request), request)
    }

    @Test func `64 KiB are enough for a boot sector and for a small program in long mode`() throws {
        for (format, address) in [(ImageFormat.flat16, 0x7c00), (.flat32, 0xe000), (.flat64, 0xe000)]
            as [(ImageFormat, UInt64)]
        {
            let bytes = [UInt8](repeating: 0x90, count: 512)
            let request = BootRequest(bytes, as: format, at: address, memory: ram(64 << 10))
            expectSound(try BootPlan(request), request)
        }
    }

    @Test func `ranges of memory that touch count as one`() throws {
        let pieces = try (0..<64).map { try MemoryRange(start: GuestAddress($0 << 20), count: 1 << 20) }
        #expect(try BootPlan(BootRequest(elf([(0x18_0000, 0x100_0000)]), memory: pieces.reversed())).format == .elf64)
    }

    @Test func `memory that ends at the end of all addresses is no danger`() throws {
        let request = BootRequest(elf([(0, 0x1_0000_0000)]), memory: [.whole])
        #expect(planningError(request)?.kind == .doesNotFit)
        let top = try MemoryRange(start: GuestAddress(.max - 0xfff), count: 0x1000)
        let sound = BootRequest(elf([(0x10_0000, 16), (top.start.rawValue, 0x1000)]), memory: ram(1 << 30) + [top])
        expectSound(try BootPlan(sound), sound)
    }

    @Test func `where more memory cannot help the error does not ask for it alone`() {
        let covering = BootRequest([UInt8](repeating: 0x90, count: 0xa_0000 - 0x500), as: .flat16, at: 0x500)
        let real = planningError(covering)
        #expect(real?.kind == .doesNotFit)
        #expect(real?.message.contains("below 640 KiB; make the image smaller") == true)
        let full = planningError(BootRequest(elf([(0, 0xc000_0000)]), memory: ram(8 << 30)))
        #expect(full?.kind == .doesNotFit)
        #expect(full?.message.contains("link the image lower") == true)
    }
}
