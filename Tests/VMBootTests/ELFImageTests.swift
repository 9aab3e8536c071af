import Testing
import VMAddressSpace
import VMBoot

/// One way an ELF can be wrong, and what has to be said about it.
struct DamagedELF: Sendable, CustomTestStringConvertible {
    var says: String
    var kind = BootError.Kind.badImage
    var is64 = true
    let damage: @Sendable (inout ELFBuilder) -> Void

    var testDescription: String { says }
}

/// The same, damaged in its bytes.
struct DamagedBytes: Sendable, CustomTestStringConvertible {
    let says: String
    let damage: @Sendable (inout [UInt8]) -> Void

    var testDescription: String { says }
}

@Suite struct ELFImageTests {
    static let damagedImages: [DamagedELF] = [
        .init(says: "is not linked (ET_REL") { $0.type = 1 },
        .init(says: "link it with -static -no-pie") { $0.type = 3 },
        .init(says: "core dump") { $0.type = 4 },
        .init(says: "ELF type 0") { $0.type = 0 },
        .init(says: "ELF64 for AArch64, not for x86-64") { $0.machine = 183 },
        .init(says: "ELF64 for RISC-V") { $0.machine = 243 },
        .init(says: "ELF64 for machine 12345") { $0.machine = 12345 },
        .init(says: "ELF64 for i386") { $0.machine = 3 },
        .init(says: "ELF32 for x86-64 (x32), not for i386", is64: false) { $0.machine = 62 },
        .init(says: "has no program headers") { $0.programHeaderCount = 0 },
        .init(says: "program headers of 32 bytes, ELF64 says 56") { $0.programHeaderSize = 32 },
        .init(says: "program headers of 56 bytes, ELF32 says 32", is64: false) { $0.programHeaderSize = 56 },
        .init(says: "at most 1024 are read") { $0.programHeaderCount = 0xffff },
        .init(says: "program headers at offset 0x10000, past") { $0.programHeaderOffset = 0x10000 },
        .init(says: "program headers at offset 0xfffffffffffffff0, past") { $0.programHeaderOffset = .max - 15 },
        .init(says: "program headers at offset 0x40, past") { $0.programHeaderCount = 900 },
        .init(says: "needs a dynamic loader") { $0.segments.append(.init(type: 3, physical: 0x20_0000)) },
        .init(says: "has no loadable segment") { $0.segments[0].type = 4 },
        .init(says: "has no loadable segment") { $0.segments[0].fileSize = 0 },
        .init(says: "segment 0 has more bytes in the file (0x20) than in memory (0x10)") {
            $0.segments[0].memorySize = 16
        },
        .init(says: "segment 0 has 0x1000 bytes at offset 0x80, past the file's end") {
            $0.segments[0].fileSize = 0x1000
        },
        .init(says: "segment 0 has 0x20 bytes at offset 0xffffffffffffffff") { $0.segments[0].offset = .max },
        .init(says: "past the end of all addresses") { $0.segments[0].physical = .max - 4 },
        .init(says: "past the end of all addresses") { $0.segments[0].virtual = .max - 4 },
        .init(says: "the guest has 64 MiB", kind: .doesNotFit) { $0.segments[0].physical = 64 << 20 },
        .init(says: "-m 65M", kind: .doesNotFit) { $0.segments[0].physical = 64 << 20 },
        .init(says: "never memory at 3 GiB to 4 GiB", kind: .doesNotFit) { $0.segments[0].physical = 0xc000_0000 },
        .init(says: "-m 3073M", kind: .doesNotFit) { $0.segments[0].physical = 4 << 30 },
        .init(says: "at a lower physical address", kind: .doesNotFit) {
            $0.segments[0].physical = 0xffff_ffff_8000_0000
        },
        .init(says: "[0x3fffff0, 0x400000f]", kind: .doesNotFit) { $0.segments[0].physical = 0x3ff_fff0 },
        .init(says: "segments 0 at [0x100000, 0x10001f] and 1 at [0x10001f, 0x10003e] overlap") {
            $0.segments.append(.init(physical: 0x10_001f))
        },
        .init(says: "the entry point 0xfffff is outside every loaded segment") { $0.entry = 0xfffff },
        .init(says: "the entry point 0x100020 is outside every loaded segment") { $0.entry = 0x10_0020 },
        .init(says: "the entry point 0x0 is outside", is64: false) { $0.entry = 0 },
    ]

    @Test(arguments: damagedImages)
    func `a wrong ELF is refused for what is wrong with it`(image: DamagedELF) {
        var builder = ELFBuilder(is64: image.is64)
        image.damage(&builder)
        let error = planningError(BootRequest(builder.bytes()))
        #expect(error?.kind == image.kind)
        #expect(error?.message.contains(image.says) == true, "\(String(describing: error))")
        #expect(error?.subject == "guest")
    }

    static let damagedBytes: [DamagedBytes] = [
        .init(says: "is cut short: it has 15 bytes") { $0 = Array($0.prefix(15)) },
        .init(says: "its ELF header alone needs 64") { $0 = Array($0.prefix(63)) },
        .init(says: "class 0 is neither 32 nor 64 bit (ELF header, offset 4)") { $0[4] = 0 },
        .init(says: "class 3 is neither") { $0[4] = 3 },
        .init(says: "byte order 2 is not little-endian") { $0[5] = 2 },
        .init(says: "ELF version 0 is not 1") { $0[6] = 0 },
    ]

    @Test(arguments: damagedBytes)
    func `a damaged ELF header is refused for what is wrong with it`(image: DamagedBytes) {
        var bytes = ELFBuilder().bytes()
        image.damage(&bytes)
        let error = planningError(BootRequest(bytes))
        #expect(error?.kind == .badImage)
        #expect(error?.message.contains(image.says) == true, "\(String(describing: error))")
    }

    @Test(arguments: [true, false])
    func `segments go to their physical addresses, with zeros behind what the file has`(is64: Bool) throws {
        var builder = ELFBuilder(is64: is64)
        builder.segments = [
            .init(physical: 0x30_0000, memorySize: 0x1000),
            .init(type: 6, physical: 0),
            .init(physical: 0x20_0000),
            .init(physical: 0x28_0000, bytes: [], memorySize: 64),
        ]
        builder.entry = 0x20_0004
        let request = BootRequest(builder.bytes())
        let plan = try BootPlan(request)
        expectSound(plan, request)
        let places = plan.loads.prefix(4).map { "\($0.address)+\($0.count)" }
        #expect(places == ["0x200000+32", "0x280000+64", "0x300000+32", "0x300020+4064"])
        #expect(plan.loads[1].source == .zeros(count: 64))
        #expect(plan.entry == GuestAddress(0x20_0004))
    }

    @Test func `an entry at a linked address becomes physical`() throws {
        var builder = ELFBuilder()
        builder.segments[0].virtual = 0xffff_ffff_8010_0000
        builder.entry = 0xffff_ffff_8010_0008
        #expect(try BootPlan(BootRequest(builder.bytes())).cpu.rip == 0x10_0008)
    }

    @Test func `an entry at a physical address stays as it is`() throws {
        var builder = ELFBuilder()
        builder.segments[0].virtual = 0xffff_ffff_8010_0000
        builder.entry = 0x10_0008
        #expect(try BootPlan(BootRequest(builder.bytes())).cpu.rip == 0x10_0008)
    }

    @Test func `another entry may be asked for, inside the segments`() throws {
        let bytes = ELFBuilder().bytes()
        #expect(try BootPlan(BootRequest(bytes, entry: 0x10_001f)).cpu.rip == 0x10_001f)
        #expect(planningError(BootRequest(bytes, entry: 0x10_0020))?.kind == .badOption)
    }

    @Test(arguments: [ELFBuilder().bytes(), MultibootBuilder.elf(), MultibootBuilder.kernel()])
    func `an image with addresses of its own cannot be loaded elsewhere`(bytes: [UInt8]) {
        let error = planningError(BootRequest(bytes, at: 0x20_0000))
        #expect(error?.kind == .badOption)
        #expect(error?.message.contains("--load-address") == true)
    }

    @Test func `a segment above 4 GiB is loaded, but cannot have the entry`() throws {
        var builder = ELFBuilder()
        builder.segments.append(.init(physical: 4 << 30))
        let request = BootRequest(builder.bytes(), memory: ram(4 << 30))
        expectSound(try BootPlan(request), request)
        builder.entry = 4 << 30
        let error = planningError(BootRequest(builder.bytes(), memory: ram(4 << 30)))
        #expect(error?.message.contains("above 4 GiB") == true)
    }
}
