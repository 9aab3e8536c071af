import Testing
import VMAddressSpace
import VMBoot

@Suite struct FlatImageTests {
    private static let binary = [UInt8](repeating: 0x90, count: 4096)

    @Test(
        arguments: [(ImageFormat.flat16, 0x7c00), (.flat32, 0x10_0000), (.flat64, 0x10_0000)] as [(ImageFormat, UInt64)]
    )
    func `a raw binary goes to its format's usual address`(format: ImageFormat, address: UInt64) throws {
        let request = BootRequest(Self.binary, as: format)
        let plan = try BootPlan(request)
        expectSound(plan, request)
        #expect(plan.entry == GuestAddress(address))
        #expect(plan.loads.first?.address == GuestAddress(address))
    }

    @Test(arguments: [ImageFormat.flat16, .flat32, .flat64])
    func `a raw binary goes where it is asked to, and starts where it is asked to`(format: ImageFormat) throws {
        let request = BootRequest(Self.binary, as: format, at: 0x9000, entry: 0x9123)
        let plan = try BootPlan(request)
        expectSound(plan, request)
        #expect(plan.loads.first?.address == GuestAddress(0x9000))
        #expect(plan.cpu.cs.base == 0)
        #expect(plan.cpu.rip == 0x9123)
    }

    @Test(arguments: [ImageFormat.flat16, .flat32, .flat64])
    func `an entry outside the binary is refused`(format: ImageFormat) {
        for entry in [0x8fff, 0xa000] as [UInt64] {
            let error = planningError(BootRequest(Self.binary, as: format, at: 0x9000, entry: entry))
            #expect(error?.kind == .badOption)
            #expect(error?.message.contains("[0x9000, 0x9fff]") == true)
        }
    }

    @Test func `real mode reaches 1 MiB`() throws {
        _ = try BootPlan(BootRequest(Self.binary, as: .flat16, at: 0xf_f000))
        #expect(planningError(BootRequest(Self.binary, as: .flat16, at: 0xf_f001))?.kind == .doesNotFit)
        #expect(planningError(BootRequest(Self.binary, as: .flat16, at: 0x10_0000))?.kind == .badOption)
    }

    @Test(arguments: [ImageFormat.flat32, .flat64])
    func `the other modes reach 4 GiB and what memory there is`(format: ImageFormat) {
        #expect(planningError(BootRequest(Self.binary, as: format, at: 0x3ff_f001))?.kind == .doesNotFit)
        #expect(planningError(BootRequest(Self.binary, as: format, at: 1 << 32))?.kind == .badOption)
        #expect(planningError(BootRequest(Self.binary, as: format, at: .max))?.kind == .badOption)
        let error = planningError(BootRequest(Self.binary, as: format, memory: ram(1 << 20)))
        #expect(error?.kind == .doesNotFit)
        #expect(error?.message.contains("-m 2M") == true)
    }

    @Test func `no memory at all is an error`() {
        let error = planningError(BootRequest(Self.binary, as: .flat64, memory: []))
        #expect(error?.kind == .doesNotFit)
        #expect(error?.message.contains("no memory") == true)
    }

    @Test func `a command line is bounded and has no zero byte`() throws {
        for format in ImageFormat.allCases {
            let bytes = MultibootBuilder.elf(is64: format == .elf64)
            let longest = String(repeating: "x", count: 4095)
            _ = try BootPlan(BootRequest(bytes, as: format, commandLine: longest))
            for line in [longest + "x", "a\0b"] {
                #expect(planningError(BootRequest(bytes, as: format, commandLine: line))?.kind == .badOption)
            }
        }
    }
}
