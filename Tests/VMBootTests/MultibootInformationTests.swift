import Testing
import VMAddressSpace
import VMBoot
import VMMemory

/// The information structure, read back as a kernel reads it: from memory, by its pointers.
@Suite struct MultibootInformationTests {
    private struct Region: Equatable {
        let base: UInt64
        let length: UInt64
        let type: UInt32
    }

    private struct Module {
        let start: UInt32
        let end: UInt32
        let line: String
        let bytes: [UInt8]
    }

    private struct Information {
        let flags, lower, upper: UInt32
        let commandLine, loader: String
        var modules: [Module] = []
        var map: [Region] = []

        init(_ memory: GuestMemory, at base: UInt64) throws {
            func word(_ address: UInt64) throws -> UInt32 { try memory.load(GuestAddress(address), as: UInt32.self) }
            func text(_ address: UInt32) throws -> String {
                try memory.read(GuestAddress(UInt64(address)), count: 4096).text(at: 0)
            }
            flags = try word(base)
            lower = try word(base + 4)
            upper = try word(base + 8)
            commandLine = try text(try word(base + 16))
            loader = try text(try word(base + 64))
            let modulesBase = UInt64(try word(base + 24))
            for index in 0..<UInt64(try word(base + 20)) {
                let entry = modulesBase + index * 16
                let (start, end) = (try word(entry), try word(entry + 4))
                modules.append(
                    Module(
                        start: start, end: end, line: try text(try word(entry + 8)),
                        bytes: try memory.read(GuestAddress(UInt64(start)), count: Int(end - start))))
            }
            var entry = UInt64(try word(base + 48))
            let end = entry + UInt64(try word(base + 44))
            while entry < end {
                map.append(
                    Region(
                        base: try memory.load(GuestAddress(entry + 4), as: UInt64.self),
                        length: try memory.load(GuestAddress(entry + 12), as: UInt64.self), type: try word(entry + 20)))
                entry += UInt64(try word(entry)) + 4
            }
        }
    }

    private func information(_ request: BootRequest) throws -> Information {
        let plan = try BootPlan(request)
        expectSound(plan, request)
        let memory = try GuestMemory(anonymous: request.memory)
        try plan.load(into: memory)
        return try Information(memory, at: plan.cpu.registers.rbx)
    }

    private func module(_ name: String, _ bytes: [UInt8], _ line: String) -> BootModule {
        BootModule(image: GuestImage(name: name, bytes: bytes), commandLine: line)
    }

    @Test func `a kernel finds its command line and the loader's name`() throws {
        let information = try information(BootRequest(MultibootBuilder.elf()))
        #expect(information.flags == 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9)
        #expect(information.commandLine == "guest one two")
        #expect(information.loader == "swift-vmm")
        #expect(information.modules.isEmpty)
    }

    @Test func `a kernel finds its modules on pages above it, each with its string`() throws {
        var builder = ELFBuilder(is64: false)
        builder.segments[0].bytes = MultibootBuilder().header()
        builder.segments[0].memorySize = 0x12345
        let contents: [[UInt8]] = [Array(1...100), [UInt8](repeating: 7, count: 4097), [9]]
        let modules = zip(contents, ["initrd a=b", "", "third"]).map { module("m", $0, $1) }
        let information = try information(BootRequest(builder.bytes(), modules: modules))
        #expect(information.modules.map(\.bytes) == contents)
        #expect(information.modules.map(\.line) == ["initrd a=b", "", "third"])
        #expect(information.modules.map(\.start) == [0x11_3000, 0x11_4000, 0x11_6000])
    }

    @Test(
        arguments: [
            (64 << 10, 64, 0, [(0, 0x1_0000, 1)]),
            (1 << 20, 640, 0, [(0, 0xa_0000, 1), (0xa_0000, 0x6_0000, 2)]),
            (64 << 20, 640, 63 << 10, [(0, 0xa_0000, 1), (0xa_0000, 0x6_0000, 2), (0x10_0000, 63 << 20, 1)]),
            (
                4 << 30, 640, 3071 << 10,
                [(0, 0xa_0000, 1), (0xa_0000, 0x6_0000, 2), (0x10_0000, 3071 << 20, 1), (4 << 30, 1 << 30, 1)]
            ),
        ] as [(UInt64, UInt32, UInt32, [(UInt64, UInt64, UInt32)])])
    func `a kernel finds its memory as a PC's firmware describes it`(
        size: UInt64, lower: UInt32, upper: UInt32, map: [(UInt64, UInt64, UInt32)]
    ) throws {
        let header: UInt32 = 0x4010
        let bytes = MultibootBuilder.kernel(header: header, load: header - 16, entry: header)
        let information = try information(BootRequest(bytes, memory: ram(size)))
        #expect(information.lower == lower)
        #expect(information.upper == upper)
        #expect(information.map == map.map { Region(base: $0, length: $1, type: $2) })
    }

    @Test func `a module for another format is refused`() {
        for format in ImageFormat.allCases where format != .multiboot {
            let bytes = MultibootBuilder.elf(is64: format == .elf64)
            let error = planningError(BootRequest(bytes, as: format, modules: [module("initrd", [1], "")]))
            #expect(error?.kind == .badOption)
            #expect(error?.subject == "initrd")
            #expect(error?.message.contains("need a Multiboot kernel, and guest is \(format)") == true)
        }
    }

    @Test func `a module is bounded by the memory, and its string as a command line`() throws {
        let bytes = MultibootBuilder.elf()
        let large = module("large", [UInt8](repeating: 1, count: 3 << 20), "")
        let error = planningError(BootRequest(bytes, memory: ram(3 << 20), modules: [large]))
        #expect(error?.kind == .doesNotFit)
        #expect(error?.message.contains("no room for the module large (3 MiB)") == true)
        for line in [String(repeating: "x", count: 4096), "a\0"] {
            #expect(planningError(BootRequest(bytes, modules: [module("m", [1], line)]))?.kind == .badOption)
        }
        #expect(planningError(BootRequest(bytes, modules: [module("m", [], "")]))?.kind == .badImage)
    }
}
