import Glibc
import TestSupport
import Testing

/// What is at the ports and addresses of the machine, and what is not.
@Suite(.needsKVM) struct MachineDeviceTests {
    typealias Code = MachineCode

    private func run(
        _ code: [UInt8], _ flags: [String] = [], format: String = "flat32"
    ) throws -> (run: FinishedRun, report: RunReport) {
        try runBytes(code, ["--format", format] + flags)
    }

    // MARK: Nothing there

    @Test(arguments: [(Code.inByte, 0xff), (Code.inWord, 0xffff), (Code.inLong, 0xffff_ffff)] as [([UInt8], UInt32)])
    func `ports with nothing behind them read as all ones`(instruction: [UInt8], value: UInt32) throws {
        let (run, report) = try run(Code.clearEAX + Code.loadEDX(0x1234) + instruction + Code.exitWithEAX)
        #expect(run.ending == .exited(255))
        #expect(report.debugExitValue == value)
        #expect(report.unclaimedPorts == [.init(address: "0x1234", reads: 1, writes: 0)])
    }

    @Test func `accesses to ports with nothing behind them are counted one by one`() throws {
        let code =
            Code.loadEDX(0x2f8) + Code.inByte + Code.outByte + Code.outByte
            + Code.loadEDX(0xfff0) + Code.outWord + Code.outLong + Code.halt
        let (run, report) = try run(code)
        #expect(run == FinishedRun(0, ""))
        let expected: [RunReport.Unclaimed] = [
            .init(address: "0x2f8", reads: 1, writes: 2), .init(address: "0xfff0", reads: 0, writes: 2),
        ]
        #expect(report.unclaimedPorts == expected)
    }

    @Test func `a string read from a port with nothing behind it fills memory with ones`() throws {
        // cld; rep insb
        let code =
            Code.loadEDX(0x1234) + Code.loadEDI(0x20_0000) + Code.loadECX(7) + [0xfc, 0xf3, 0x6c]
            + Code.loadEAX(from: 0x20_0004) + Code.exitWithEAX
        let (_, report) = try run(code)
        #expect(report.debugExitValue == 0x00ff_ffff)
        #expect(report.unclaimedPorts == [.init(address: "0x1234", reads: 7, writes: 0)])
    }

    @Test func `addresses with nothing behind them read as all ones and swallow what is written`() throws {
        let code =
            Code.loadEAX(0x1234_5678) + Code.storeEAX(to: 0xd000_0010) + Code.clearEAX
            + Code.loadEAX(from: 0xd000_0010) + Code.exitWithEAX
        let (_, report) = try run(code)
        #expect(report.debugExitValue == 0xffff_ffff)
        #expect(report.unclaimedPages == [.init(address: "0xd0000000", reads: 1, writes: 1)])
    }

    @Test func `addresses past the memory read as all ones in 64-bit mode too`() throws {
        // mov rax, [0xd0000000]; shr rax, 32
        let code: [UInt8] =
            [0x48, 0xa1] + (0xd000_0000 as UInt64).littleEndianBytes + [0x48, 0xc1, 0xe8, 0x20] + Code.exitWithEAX
        let (_, report) = try run(code, format: "flat64")
        #expect(report.debugExitValue == 0xffff_ffff)
        #expect(report.unclaimedPages.map(\.address) == ["0xd0000000"])
    }

    @Test func `a guest that touches very many ports is counted within bounds`() throws {
        // next: in al, dx; inc dx; jnz next
        let code = Code.loadEDX(0xf000) + Code.inByte + [0x66, 0x42, 0x75, 0xfb] + Code.halt
        let (run, report) = try run(code)
        #expect(run == FinishedRun(0, ""))
        #expect(report.exits["portRead"] == 4096)
        #expect((1...64).contains(report.unclaimedPorts.count))
    }

    // MARK: Ends

    @Test func `a reset through the keyboard controller ends the run well`() throws {
        // mov al, 0xfe; out 0x64, al
        let (run, report) = try run([0xb0, 0xfe, 0xe6, 0x64] + Code.print("x") + Code.halt)
        #expect(run == FinishedRun(0, ""))
        #expect(report.outcome == "reset")
    }

    @Test(arguments: [0x604, 0xb004] as [UInt32])
    func `a power-off through the ACPI port ends the run well`(port: UInt32) throws {
        let code = Code.loadEDX(port) + Code.loadEAX(0x2000) + Code.outWord + Code.print("x") + Code.halt
        let (run, report) = try run(code)
        #expect(run == FinishedRun(0, ""))
        #expect(report.outcome == "powered-off")
    }

    @Test(
        arguments: [(Code.outByte, 0x78), (Code.outWord, 0x5678), (Code.outLong, 0x1234_5678)] as [([UInt8], UInt32)])
    func `the debug exit takes the value as wide as it is written`(instruction: [UInt8], value: UInt32) throws {
        let (run, report) = try run(Code.loadEAX(0x1234_5678) + Code.loadEDX(0xf4) + instruction + Code.halt)
        #expect(run == FinishedRun(Int32(0x78 << 1 | 1), ""))
        #expect(report.outcome == "debug-exit")
        #expect(report.debugExitValue == value)
    }

    @Test(arguments: ["full", "split", "none"])
    func `a guest that halts with interrupts off has ended`(irqchip: String) throws {
        let (run, report) = try run(Code.halt, ["--irqchip", irqchip, "-m", "4M"])
        #expect(run == FinishedRun(0, ""))
        #expect(report.outcome == "halted")
    }

    @Test func `a guest that halts with interrupts on goes on waiting`() throws {
        // sti; hlt
        let (run, report) = try run([0xfb, 0xf4], ["--timeout", "1s"])
        #expect(run.ending == .exited(124))
        #expect(report.outcome == "timed-out")
    }

    // MARK: Small devices

    @Test func `the last self-test code is in the report`() throws {
        // mov al, code; out 0x80, al
        let (_, report) = try run([0xb0, 0x11, 0xe6, 0x80, 0xb0, 0x42, 0xe6, 0x80] + Code.halt)
        #expect(report.postCode == 0x42)
        #expect(report.unclaimedPorts.isEmpty)
    }

    /// Reads an item of the firmware configuration device to memory, and exits with the 32 bits at `offset` of it.
    private func firmwareItem(_ key: UInt32, at offset: UInt32 = 0) -> [UInt8] {
        Code.loadEDX(0x510) + Code.loadEAX(key) + Code.outWord
            + Code.loadEDX(0x511) + Code.loadEDI(0x20_0000) + Code.loadECX(8) + [0xfc, 0xf3, 0x6c]
            + Code.loadEAX(from: 0x20_0000 + offset) + Code.exitWithEAX
    }

    @Test func `the firmware configuration device has memory size and CPU count`() throws {
        let flags = ["-m", "5G", "-c", "3"]
        #expect(try run(firmwareItem(0)).report.debugExitValue == 0x554d_4551)
        #expect(try run(firmwareItem(3)).report.debugExitValue == 128 << 20)
        #expect(try run(firmwareItem(3, at: 0), flags).report.debugExitValue == 1 << 30)
        #expect(try run(firmwareItem(3, at: 4), flags).report.debugExitValue == 1)
        #expect(try run(firmwareItem(5), flags).report.debugExitValue == 3)
        #expect(try run(firmwareItem(0x7777), flags).report.debugExitValue == 0)
    }

    @Test func `the serial port sends every byte as it is`() throws {
        // mov ecx, 256; next: out dx, al; inc eax; loop next
        let code = Code.clearEAX + Code.loadEDX(0x3f8) + Code.loadECX(256) + [0xee, 0x40, 0xe2, 0xfc] + Code.halt
        let (run, _) = try run(code)
        #expect(run == FinishedRun(.exited(0), output: UInt8.min...UInt8.max))
    }
}
