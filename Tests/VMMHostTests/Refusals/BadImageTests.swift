import BuiltInGuests
import TestSupport
import Testing

/// Images with something wrong in them. Each is found out before KVM is asked for anything.
@Suite struct BadImageTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Expects that the bytes are refused as an image, in a line that names the file.
    private func expectBadImage(
        _ bytes: [UInt8], _ words: [String], flags: [String] = [], size: Int? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = try folder.file("bad.img", bytes, size: size)
        let run = try VMMProgram.run(["run"] + flags + [file])
        expectRefusal(run, 65, ["bad.img"] + words, sourceLocation: sourceLocation)
    }

    @Test func `bytes of no known format are refused with the flag that takes them`() throws {
        let advice = ["no recognised format", "--format flat16, flat32 or flat64"]
        try expectBadImage(Array("#!/bin/sh\necho hello\n".utf8), advice)
        try expectBadImage([0x7f], advice)
        try expectBadImage([UInt8](repeating: 0xa5, count: 100_000), advice)
        // A boot sector but for its signature.
        try expectBadImage([UInt8](repeating: 0x90, count: 512), advice)
    }

    // MARK: ELF

    /// The offsets of fields in a 64-bit ELF file (System V gABI, chapters 4 and 5).
    private enum Field {
        static let type = 16
        static let machine = 18
        static let entry = 24
        static let programHeaderOffset = 32
        static let programHeaderCount = 56
        static let programHeaders = 64
        static let programHeaderSize = 56
        static let fileOffset = programHeaders + 8
        static let physicalAddress = programHeaders + 24
        static let fileSize = programHeaders + 32
        static let memorySize = programHeaders + 40
        static let secondPhysicalAddress = physicalAddress + programHeaderSize
        static let secondMemorySize = memorySize + programHeaderSize
    }

    /// The guest `hello`, with one field changed.
    private func hello<Number: FixedWidthInteger>(_ value: Number, at offset: Int) throws -> [UInt8] {
        var bytes = try #require(BuiltInGuest(named: "hello")).bytes
        bytes.set(value, at: offset)
        return bytes
    }

    @Test func `an ELF for another processor is refused with that one's name`() throws {
        try expectBadImage(hello(183 as UInt16, at: Field.machine), ["AArch64", "x86-64"])
        try expectBadImage(hello(243 as UInt16, at: Field.machine), ["RISC-V", "x86-64"])
        // Byte order and class.
        try expectBadImage(hello(2 as UInt8, at: 5), ["byte order", "little-endian"])
        try expectBadImage(hello(9 as UInt8, at: 4), ["class 9"])
    }

    @Test func `an ELF that is no executable is refused with how to make one`() throws {
        try expectBadImage(hello(1 as UInt16, at: Field.type), ["not linked", "ld"])
        try expectBadImage(hello(3 as UInt16, at: Field.type), ["position-independent", "-static -no-pie"])
        try expectBadImage(hello(4 as UInt16, at: Field.type), ["core dump"])
        // PT_INTERP
        try expectBadImage(hello(3 as UInt32, at: Field.programHeaders), ["dynamic loader", "-static -no-pie"])
    }

    @Test(arguments: [5, 63, 64, 100, 200])
    func `an ELF that is cut short is refused wherever it ends`(count: Int) throws {
        let whole = try #require(BuiltInGuest(named: "hello")).bytes
        try expectBadImage(Array(whole.prefix(count)), ["cut short"])
    }

    @Test func `program headers that cannot be are refused`() throws {
        try expectBadImage(hello(UInt64.max - 8, at: Field.programHeaderOffset), ["program headers", "cut short"])
        try expectBadImage(hello(0 as UInt16, at: Field.programHeaderCount), ["no program headers"])
        try expectBadImage(hello(UInt16.max, at: Field.programHeaderCount), ["65535 program headers"])
    }

    @Test func `segments whose numbers overflow are refused`() throws {
        try expectBadImage(hello(UInt64.max - 8, at: Field.fileOffset), ["segment 0", "past the file's end"])
        try expectBadImage(hello(UInt64.max, at: Field.fileSize), ["segment 0", "more bytes in the file"])
        try expectBadImage(hello(UInt64.max, at: Field.memorySize), ["segment 0", "past the end of all addresses"])
        try expectBadImage(hello(UInt64.max - 8, at: Field.physicalAddress), ["segment 0", "past the end of all"])
    }

    @Test func `segments that memory cannot hold are refused with what would help`() throws {
        try expectBadImage(
            hello(1 << 30 as UInt64, at: Field.physicalAddress), ["segment 0", "0x40000000", "-m 1025M"])
        try expectBadImage(hello(200 << 20 as UInt64, at: Field.secondMemorySize), ["segment 1", "128 MiB", "-m 202M"])
        // In the hole for devices no size helps.
        try expectBadImage(hello(0xd000_0000 as UInt64, at: Field.physicalAddress), ["3 GiB to 4 GiB", "lower"])
        try expectBadImage(hello(1 << 50 as UInt64, at: Field.physicalAddress), ["lower"])
    }

    @Test func `segments on top of each other are refused`() throws {
        let bytes = try hello(0x10_0010 as UInt64, at: Field.secondPhysicalAddress)
        try expectBadImage(bytes, ["segments 0", "and 1", "overlap", "linker script"])
    }

    @Test func `an entry point outside of all segments is refused`() throws {
        try expectBadImage(hello(0x30_0000 as UInt64, at: Field.entry), ["entry point 0x300000", "outside", "--entry"])
        try expectBadImage(hello(UInt64.max, at: Field.entry), ["entry point 0xffffffffffffffff", "outside"])
    }

    @Test func `a format that the image is not of is refused`() throws {
        let hello = try #require(BuiltInGuest(named: "hello")).bytes
        try expectBadImage(hello, ["ELF64, not ELF32", "--format"], flags: ["--format", "elf32"])
        try expectBadImage(hello, ["no Multiboot header"], flags: ["--format", "multiboot"])
        try expectBadImage(MachineCode.halt, ["not an ELF"], flags: ["--format", "elf64"])
    }

    // MARK: Multiboot

    @Test func `a Multiboot header with a wrong checksum is refused with the right one`() throws {
        let bytes = MultibootKernel.bytes(checksum: 0x1234)
        try expectBadImage(bytes, ["Multiboot header at offset 0x0", "checksum 0x1234 instead of 0xe4514ffe"])
    }

    @Test func `Multiboot addresses that contradict each other are refused`() throws {
        let base = MultibootKernel.address
        func kernel(
            header: UInt32 = base, load: UInt32 = base, loadEnd: UInt32 = 0, bssEnd: UInt32 = 0,
            entry: UInt32 = base + MultibootKernel.headerSize
        ) -> [UInt8] {
            MultibootKernel.bytes(addresses: [header, load, loadEnd, bssEnd, entry])
        }
        try expectBadImage(kernel(load: base + 8), ["load_addr 0x200008", "header_addr 0x200000"])
        try expectBadImage(kernel(load: base - 8), ["load_addr 0x1ffff8", "before the file"])
        try expectBadImage(kernel(loadEnd: base - 1), ["load_end_addr 0x1fffff"])
        try expectBadImage(kernel(loadEnd: base + 4096), ["load_end_addr 0x201000", "cut short"])
        try expectBadImage(kernel(loadEnd: base + 32, bssEnd: base + 16), ["bss_end_addr 0x200010"])
        try expectBadImage(kernel(bssEnd: .max), ["needs", "128 MiB"])
        try expectBadImage(kernel(entry: base - 16), ["entry_addr 0x1ffff0", "outside"])
        try expectBadImage(Array(kernel().prefix(20)), ["Multiboot header", "address fields"])
    }

    @Test func `a Multiboot kernel that needs a display is refused`() throws {
        try expectBadImage(MultibootKernel.bytes(flags: 1 << 16 | 1 << 2), ["video mode", "no display"])
    }

    // MARK: Size

    @Test func `a file larger than the memory is refused with what would help`() throws {
        try expectBadImage(
            MachineCode.halt, ["the image needs", "4 MiB of memory", "-m 9M"],
            flags: ["--format", "flat64", "-m", "4M"], size: 8 << 20)
        try expectBadImage(
            MachineCode.halt, ["real mode reaches 1 MiB"], flags: ["--format", "flat16"], size: 8 << 20)
        // No bytes are read or allocated to find that out.
        try expectBadImage(MachineCode.halt, ["pass 0x100000000"], flags: ["--format", "flat32"], size: 1 << 42)
    }

    @Test func `a memory too small for the image and what goes with it is refused`() throws {
        for size in ["4K", "16K", "1M", "1028K"] {
            let run = try VMMProgram.run(["run", "-m", size, "hello"])
            expectRefusal(run, 65, ["hello", "segment", "-m 2M"])
        }
        expectRefusal(try VMMProgram.run(["run", "-m", "28K", "hello16"]), 65, ["hello16", "-m 1M"])
    }

    @Test func `modules larger than the memory are refused with what would help`() throws {
        let module = try folder.file("disk.img", [1], size: 64 << 20)
        let kernel = try folder.file("kernel", MultibootKernel.bytes())
        let run = try VMMProgram.run(["run", "-m", "32M", "-i", module, kernel])
        expectRefusal(run, 65, ["no room", "disk.img", "64 MiB", "32 MiB of memory", "-m "])
    }
}
