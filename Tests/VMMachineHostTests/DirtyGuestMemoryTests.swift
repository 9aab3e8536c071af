import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

@testable import VMMachine

/// The memory of the guest `dirty`, as the monitor sees it while the guest writes.
@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    // Its guests never sleep: each CPU takes a processor.
    .serialized, .timeLimit(.minutes(10)))
struct DirtyGuestMemoryTests {
    private static let base: UInt64 = 16 << 20
    /// Not a multiple of the number of CPUs.
    private static let pageCount = 257
    private static let shares = [0..<129, 129..<257]

    private func start(
        _ pattern: String, passes: Int = 0, flags: [String] = [], console: CollectingConsole
    ) throws -> Machine {
        let machine = try makeMachine(
            "dirty",
            {
                $0.cpus = 2
                $0.arguments =
                    ["--cpus", "2", "--set", "\(4 * Self.pageCount)K", "--pattern", pattern, "--rate", "20M"]
                    + ["--passes", "\(passes)"] + flags
            }, console: console)
        try machine.start()
        return machine
    }

    /// The pass of each page's stamp.
    private func stamps(_ machine: Machine) throws -> [UInt64] {
        try (0..<Self.pageCount).map { page in
            let frame = Self.base / 4096 + UInt64(page)
            let stamp = try machine.memory.load(GuestAddress(frame * 4096 + frame * 8 % 512 * 8), as: UInt64.self)
            #expect(stamp >> 28 == 0xd1 << 28 | frame)
            return stamp & 0xfff_ffff
        }
    }

    /// How many pages the CPU of a share has written, as the guest's description has it.
    private func written(_ stamps: ArraySlice<UInt64>, hot: Bool) -> UInt64 {
        guard hot else { return stamps.reduce(0, +) }
        let hotWrites = stamps.prefix(stamps.count / 10).reduce(0, +)
        return hotWrites + hotWrites / 9
    }

    @Test(arguments: ["sequential", "random", "hot"], [[], ["--no-check"]])
    func `the stamps say how many pages each CPU has written`(pattern: String, flags: [String]) throws {
        let console = CollectingConsole()
        let machine = try start(pattern, flags: flags, console: console)
        var before: [UInt64] = [0, 0]
        while !console.text.contains("pass 1 ") { usleep(1000) }
        for _ in 0..<10 {
            machine.pause()
            let stamps = try stamps(machine)
            let now = Self.shares.map { written(stamps[$0], hot: pattern == "hot") }
            machine.resume()
            #expect(zip(before, now).allSatisfy { $0 <= $1 })
            before = now
            if pattern != "hot", let first = stamps.min(), let last = stamps.max() { #expect(last - first <= 1) }
            if pattern == "sequential" {
                for share in Self.shares { #expect(stamps[share].elementsEqual(stamps[share].sorted(by: >))) }
            }
            usleep(20_000)
        }
        machine.stop()
        _ = machine.wait()
        #expect(before.allSatisfy { $0 > 0 })
    }

    @Test func `in the end the stamps say what all passes have written`() throws {
        let passes = 20
        for pattern in ["sequential", "random", "hot"] {
            let machine = try start(pattern, passes: passes, console: CollectingConsole())
            guard case .poweredOff = machine.wait().outcome else {
                Issue.record("\(pattern) did not power off")
                continue
            }
            let stamps = try stamps(machine)
            for share in Self.shares {
                let hotCount = share.count / 10
                let coldWrites = hotCount * passes / 9
                let expected = pattern == "hot" ? hotCount * passes + coldWrites : share.count * passes
                #expect(written(stamps[share], hot: pattern == "hot") == UInt64(expected))
                // There are more other pages than writes to them.
                if pattern == "hot" { #expect(stamps[share].dropFirst(hotCount).count { $0 > 0 } == coldWrites) }
            }
        }
    }

    /// The first and the last page of each share. Without checks in passes, it is the one at the end that finds it.
    @Test(arguments: [0, 128, 129, 256], [[], ["--no-check"]])
    func `a word that changes is found by the CPU whose share it is in`(page: UInt64, flags: [String]) throws {
        let console = CollectingConsole()
        let machine = try start("random", flags: flags, console: console)
        while !console.text.contains("pass 2 ") { usleep(1000) }
        machine.pause()
        let frame = Self.base / 4096 + page
        let word = (frame * 8 + 1) % 512
        try machine.memory.store(UInt64(0), at: GuestAddress(frame * 4096 + word * 8))
        machine.resume()
        _ = [4].withUnsafeBytes { machine.sendInput($0) }
        guard case .debugExit(1) = machine.wait().outcome else {
            Issue.record("\(console.text)")
            return
        }
        let expected = 0xf1 << 56 | frame << 28 | word
        let address = String(frame * 4096 + word * 8, radix: 16)
        let line = "CORRUPT gpa=0x\(address) expected=0x\(String(expected, radix: 16)) found=0x0\n"
        #expect(console.text.hasSuffix("\n" + line))
    }
}
