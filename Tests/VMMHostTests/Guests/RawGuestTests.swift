import Glibc
import TestSupport
import Testing

/// Guests made of a few bytes: where they are loaded, how they are entered, and what they find around them.
@Suite(.needsKVM) struct RawGuestTests {
    typealias Code = MachineCode

    /// Prints its mode's letter, in code that all modes read alike but for one instruction.
    private func letter(_ format: String) -> [UInt8] {
        // In 16-bit code: mov dx, 0x3f8; mov al, 'R'; out dx, al; hlt.
        if format == "flat16" { return [0xba, 0xf8, 0x03, 0xb0, UInt8(ascii: "R"), 0xee] + Code.halt }
        // inc eax in 32-bit mode and a prefix of nop in 64-bit mode: the letter is P there and O + 1 here.
        return Code.loadEDX(0x3f8) + Code.loadEAX(UInt32(UInt8(ascii: "L"))) + [0x40, 0x90] + Code.outByte + Code.halt
    }

    @Test(arguments: [("flat16", "R"), ("flat32", "M"), ("flat64", "L")], ["full", "none"])
    func `raw bytes run in the mode their format names`(mode: (format: String, letter: String), irqchip: String) throws
    {
        let flags = ["--format", mode.format, "--irqchip", irqchip]
        let (run, report) = try runBytes(letter(mode.format), flags)
        #expect(run == FinishedRun(0, mode.letter))
        #expect(report.format == mode.format)
    }

    @Test func `a boot sector is recognised by its signature`() throws {
        let (run, report) = try runBytes(letter("flat16").padded(to: 510) + [0x55, 0xaa], [])
        #expect(run == FinishedRun(0, "R"))
        #expect(report.format == "flat16")
    }

    @Test(arguments: ["flat32", "flat64"])
    func `load address and entry are where the guest finds itself`(format: String) throws {
        let code = Code.loadEAXWithAddress + Code.exitWithEAX
        func address(_ bytes: [UInt8], _ flags: String...) throws -> UInt32? {
            try runBytes(bytes, ["--format", format] + flags).report.debugExitValue
        }
        #expect(try address(code) == 0x10_0005)
        #expect(try address(code, "--load-address", "0x345678") == 0x34_567d)
        #expect(try address(code, "--load-address", "2M") == 0x20_0005)
        // What is before the entry would crash.
        let padded = [0x0f, 0x0b] + [UInt8](repeating: 0xcc, count: 14) + code
        #expect(try address(padded, "--entry", "0x100010") == 0x10_0015)
        #expect(try address(padded, "--load-address", "0x7c00", "--entry", "0x7c10") == 0x7c15)
    }

    @Test func `real mode code is entered with segment and offset`() throws {
        // call next; next: pop bx; mov ax, cs; shl eax, 16; mov ax, bx; mov dx, 0xf4; out dx, eax
        let code: [UInt8] = [
            0xe8, 0, 0, 0x5b, 0x8c, 0xc8, 0x66, 0xc1, 0xe0, 0x10, 0x89, 0xd8, 0xba, 0xf4, 0x00, 0x66, 0xef,
        ]
        func address(_ bytes: [UInt8], _ flags: String...) throws -> UInt32? {
            try runBytes(bytes, ["--format", "flat16"] + flags).report.debugExitValue
        }
        #expect(try address(code) == 0x0000_7c03)
        #expect(try address(code, "--load-address", "0x8000") == 0x0000_8003)
        #expect(try address(code, "--load-address", "0x20000") == 0x2000_0003)
        #expect(try address([0xf4] + code, "--entry", "0x7c01") == 0x0000_7c04)
    }

    @Test(arguments: [1, 3], ["64M", "1G"])
    func `the guest is told its memory and its CPUs`(cpus: UInt32, memory: String) throws {
        // mov eax, esi or edx: the second and third arguments.
        for format in ["flat32", "flat64"] {
            let flags = ["--format", format, "-m", memory, "-c", "\(cpus)"]
            let (_, sized) = try runBytes([0x89, 0xf0] + Code.exitWithEAX, flags)
            #expect(sized.debugExitValue == (memory == "1G" ? 1 << 30 : 64 << 20))
            let (_, counted) = try runBytes([0x89, 0xd0] + Code.exitWithEAX, flags)
            #expect(counted.debugExitValue == cpus)
        }
    }

    // MARK: Multiboot

    @Test func `a Multiboot kernel gets its command line and modules`() throws {
        let newline = Code.print("\n")
        // EBX is the information: command line at 16, number of modules at 20, their list at 24.
        let code: [UInt8] =
            // mov esi, [ebx + 16]
            [0x8b, 0x73, 0x10] + Code.printStringAtESI + newline
            // mov edi, [ebx + 24]; mov esi, [edi + 8]
            + [0x8b, 0x7b, 0x18, 0x8b, 0x77, 0x08] + Code.printStringAtESI + newline
            // mov esi, [edi + 24], the second module's string
            + [0x8b, 0x77, 0x18] + Code.printStringAtESI + newline
            // mov esi, [edi]; mov ecx, [edi + 4]; sub ecx, esi; next: lodsb; out dx, al; loop next
            + [0x8b, 0x37, 0x8b, 0x4f, 0x04, 0x29, 0xf1] + Code.loadEDX(0x3f8) + [0xac, 0xee, 0xe2, 0xfc]
            // mov eax, [ebx + 20]
            + [0x8b, 0x43, 0x14] + Code.exitWithEAX
        let folder = try TemporaryFolder()
        let kernel = try folder.file("kernel", MultibootKernel.bytes(code))
        let first = try folder.file("first", "contents, all of them")
        let second = try folder.file("second", "more")
        let flags = ["-i", "\(first),root=first, quiet", "--module", second, kernel, "--", "-v", "7"]
        let (run, report) = try runReporting(flags)
        #expect(run == FinishedRun(5, "kernel -v 7\nroot=first, quiet\n\(second)\ncontents, all of them"))
        #expect(report.format == "multiboot")
        #expect(report.debugExitValue == 2)
    }

    @Test func `a Multiboot kernel is entered with the loader's magic number`() throws {
        let (_, report) = try runBytes(MultibootKernel.bytes(Code.exitWithEAX), [])
        #expect(report.debugExitValue == 0x2bad_b002)
    }
}
