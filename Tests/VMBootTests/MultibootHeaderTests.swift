import Testing
import VMAddressSpace
import VMBoot

@Suite struct MultibootHeaderTests {
    /// What the address fields come to: first address, bytes from the file, file offset, zeros.
    @Test(
        arguments: [
            // load_end_addr 0: the rest of the file.
            (MultibootBuilder.kernel(), 0x20_0000, 256, 0, 0),
            (MultibootBuilder.kernel(loadEnd: 0x20_0080), 0x20_0000, 128, 0, 0),
            (MultibootBuilder.kernel(loadEnd: 0x20_0080, bssEnd: 0x20_1000), 0x20_0000, 128, 0, 0xf80),
            (MultibootBuilder.kernel(bssEnd: 0x20_0100), 0x20_0000, 256, 0, 0),
            // Loading starts at the header.
            (MultibootBuilder.kernel(load: 0x20_0010), 0x20_0010, 240, 16, 0),
            // -1: the whole file, so that the header is where it says.
            (MultibootBuilder.kernel(header: 0x30_0010, load: .max, entry: 0x30_0020), 0x30_0000, 256, 0, 0),
        ] as [([UInt8], UInt64, UInt64, UInt64, UInt64)])
    func `the address fields say what is loaded where`(
        bytes: [UInt8], address: UInt64, count: UInt64, offset: UInt64, zeros: UInt64
    ) throws {
        let request = BootRequest(bytes)
        let plan = try BootPlan(request)
        expectSound(plan, request)
        #expect(plan.loads.first?.address == GuestAddress(address))
        #expect(plan.loads.first?.source == .image(offset: offset, count: count))
        let hasZeros = plan.loads.contains {
            $0.source == .zeros(count: zeros) && $0.address.rawValue == address + count
        }
        #expect(hasZeros == (zeros > 0))
    }

    @Test(arguments: [
        (MultibootBuilder.kernel(load: 0x20_0011), "load_addr 0x200011 above header_addr"),
        (MultibootBuilder.kernel(load: 0x1f_ff00), "loading starts before the file"),
        (MultibootBuilder.kernel(header: 8, load: .max), "puts the file's start below 0"),
        (MultibootBuilder.kernel(loadEnd: 0x20_0000), "load_end_addr 0x200000, not above load_addr"),
        (MultibootBuilder.kernel(loadEnd: 0x20_0101), "0x1 bytes past what the file has"),
        (MultibootBuilder.kernel(loadEnd: 0xffff_ffff), "past what the file has"),
        (MultibootBuilder.kernel(bssEnd: 0x20_00ff), "bss_end_addr 0x2000ff below the loaded data's end"),
        (MultibootBuilder.kernel(entry: 0x1f_ffff), "entry_addr 0x1fffff in the Multiboot header is outside"),
        (MultibootBuilder.kernel(entry: 0x20_0100), "entry_addr 0x200100 in the Multiboot header is outside"),
        (Array(MultibootBuilder.kernel().prefix(40)), "promises address fields"),
    ])
    func `wrong address fields are refused for what is wrong with them`(bytes: [UInt8], phrase: String) {
        let error = planningError(BootRequest(bytes))
        #expect(error?.kind == .badImage)
        #expect(error?.message.contains(phrase) == true, "\(String(describing: error))")
        #expect(error?.message.contains("\n") == false)
    }

    @Test func `address fields outside the guest's memory do not fit`() {
        for bytes in [
            MultibootBuilder.kernel(bssEnd: 0x1000_0000),
            MultibootBuilder.kernel(header: 0xffff_ff10, load: 0xffff_ff00, entry: 0xffff_ff40),
            MultibootBuilder.kernel(header: 0xffff_fff0, load: .max, entry: 0xffff_ffff),
        ] {
            #expect(planningError(BootRequest(bytes))?.kind == .doesNotFit)
        }
    }

    @Test func `the address fields of an ELF come before its segments`() throws {
        var builder = ELFBuilder(is64: false)
        let addresses: [UInt32] = [0x40_0060, 0x40_0060, 0, 0, 0x40_0060]
        builder.segments[0].bytes = MultibootBuilder(addresses: addresses).header()
        let plan = try BootPlan(BootRequest(builder.bytes()))
        #expect(plan.entry == GuestAddress(0x40_0060))
    }

    @Test(arguments: 2..<16)
    func `a required flag that cannot be served is refused by its number`(bit: Int) {
        for bytes in [MultibootBuilder.elf(flags: 1 << bit), MultibootBuilder.kernel(flags: 1 << bit)] {
            let error = planningError(BootRequest(bytes))
            #expect(error?.kind == .badImage)
            #expect(error?.message.contains("requires flag bit \(bit),") == true)
        }
    }

    @Test(arguments: [0, 1, 17, 24, 31])
    func `other flags are no obstacle`(bit: Int) throws {
        let request = BootRequest(MultibootBuilder.elf(flags: 1 << bit))
        expectSound(try BootPlan(request), request)
    }

    @Test func `another entry may be asked for, inside what is loaded`() throws {
        #expect(try BootPlan(BootRequest(MultibootBuilder.kernel(), entry: 0x20_00ff)).cpu.rip == 0x20_00ff)
        #expect(planningError(BootRequest(MultibootBuilder.kernel(), entry: 0x20_0100))?.kind == .badOption)
    }

    @Test func `a 64-bit kernel cannot be entered above 4 GiB`() {
        var builder = ELFBuilder()
        builder.segments[0].bytes = MultibootBuilder().header()
        builder.segments[0].physical = 4 << 30
        builder.entry = 4 << 30
        let error = planningError(BootRequest(builder.bytes(), memory: ram(4 << 30)))
        #expect(error?.message.contains("32-bit protected mode ends") == true)
    }
}
