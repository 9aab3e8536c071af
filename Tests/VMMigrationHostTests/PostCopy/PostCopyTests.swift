import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMMachine
import VMMigration
import VMRegions

/// Guests that run at the destination before their memory is there.
@Suite(
    "Post-copy", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct PostCopyTests {
    struct Example: CustomTestStringConvertible, Sendable {
        var pattern: String
        var cpus = 1
        var rounds = 0
        var channels = 1
        var backend = IOBackend.auto
        var testDescription: String {
            "\(pattern), \(cpus) CPUs, after \(rounds) rounds, \(channels) channels, \(backend)"
        }
    }

    static let examples: [Example] = [
        Example(pattern: "random"), Example(pattern: "hot"), Example(pattern: "sequential", backend: .plain),
        Example(pattern: "random", cpus: 2), Example(pattern: "hot", cpus: 2, rounds: 1),
        Example(pattern: "random", rounds: 1, backend: .plain), Example(pattern: "sequential", rounds: 2, channels: 3),
        Example(pattern: "hot", cpus: 2, rounds: 2, channels: 2), Example(pattern: "random", channels: 2),
    ]

    private static func dirty(_ pattern: String, cpus: Int = 1, set: String = "8M") throws -> LiveMachine {
        let arguments = ["--set", set, "--pattern", pattern, "--cpus", "\(cpus)"]
        let machine = try LiveMachine("dirty", arguments) {
            $0.cpus = cpus
            $0.memory = ByteSize(bytes: 64 << 20)
        }
        machine.console.waitForLines(2)
        return machine
    }

    @Test("A guest that writes as fast as it can goes on without a gap, and finds nothing wrong", arguments: examples)
    func guestsGoOn(_ example: Example) throws {
        let source = try Self.dirty(example.pattern, cpus: example.cpus)
        let move = try PostCopyMove(
            source, rounds: example.rounds, channels: example.channels, backend: example.backend)
        defer { move.end() }
        let arrived = try move.finish()
        #expect(source.end.isHandedOver)
        #expect(move.outgoing.progress.rounds.count == example.rounds)
        #expect(move.incoming.progress.requests.count > 0 || example.rounds > 0)
        arrived.expectGoodEnd()
    }

    @Test("A guest can go on from machine to machine")
    func hops() throws {
        var machine = try Self.dirty("random")
        for rounds in [0, 1, 0] {
            let move = try PostCopyMove(machine, rounds: rounds)
            defer { move.end() }
            machine = try move.finish()
            #expect(machine.console.waitForLines(machine.console.lineCount + 2))
        }
        machine.expectGoodEnd()
    }

    @Test("Input comes to the guest wherever it is", arguments: [0, 1])
    func echo(_ rounds: Int) throws {
        let source = try LiveMachine("echo")
        source.send("before\n")
        #expect(source.console.waitForLines(1))
        let move = try PostCopyMove(source, rounds: rounds)
        defer { move.end() }
        let arrived = try move.finish()
        arrived.send("after\n\u{4}")
        #expect(arrived.end.isGood)
        #expect(arrived.console.text == "BEFORE\nAFTER\n")
    }

    @Test("A memfd that the guest sees at two places arrives at both", arguments: [0, 1])
    func sharedMemory(_ rounds: Int) throws {
        let peek = try PeekGuest()
        let backing = try RegionBacking(memfd: "shared", byteCount: 4 << 20)
        for (name, start) in [("first", UInt64(0x4000_0000)), ("second", 0x5000_0000)] {
            try peek.add(name, at: start, 4 << 20, of: backing)
        }
        #expect(peek.ask("fill \(0x4000_0000) 4M 0x1234") == "done")
        #expect(peek.ask("churn 2M 1M") == "done")
        let move = try PostCopyMove(peek.machine, rounds: rounds)
        defer { move.end() }
        // From both, while it comes.
        let arrived = PeekGuest(try move.whileArriving())
        // The monitor waits for pages as the guest does.
        let seen = try arrived.machine.machine.memory.load(GuestAddress(0x5020_0000), as: UInt64.self)
        #expect(seen == 0x1234 + 0x20_0000)
        #expect(arrived.ask("stop").hasSuffix(" 0 errors"))
        #expect(arrived.ask("check \(0x5000_0000) 4M 0x1234") == "good")
        #expect(arrived.ask("check \(0x4000_0000) 4M 0x1234") == "good")
        #expect(arrived.ask("write \(0x4000_1000) 0x77") == "done")
        #expect(arrived.ask("read \(0x5000_1000)") == "0x77")
        #expect(move.sourceEnd() == nil && move.memoryEnd() == nil)
    }

    @Test("RAM beneath a ROM comes too, and the ROM", arguments: [0, 1])
    func hiddenMemory(_ rounds: Int) throws {
        let peek = try PeekGuest()
        let start: UInt64 = 0x100_0000
        #expect(peek.ask("fill \(start) 1M 0x4321") == "done")
        let rom = try RegionBacking(anonymous: "rom", byteCount: 1 << 20)
        try peek.add("rom", at: start, 1 << 20, of: rom, priority: 1, isWritable: false)
        #expect(peek.ask("check \(start) 1M 0x4321") != "good")
        let move = try PostCopyMove(peek.machine, rounds: rounds)
        defer { move.end() }
        let arrived = try move.finish()
        let contents = try arrived.machine.regions.withTurn { manager throws(RegionManagerError) in
            try manager.contents()
        }
        let ram = try #require(contents.first { $0.backing.byteCount > 1 << 20 })
        for offset in stride(from: start, to: start + 1 << 20, by: 4096) {
            let extent = try #require(ram.extents.first { $0.bytes.contains(offset) })
            let pointer = UnsafeRawPointer(bitPattern: extent.hostAddress + UInt(offset - extent.bytes.lowerBound))
            try #require(pointer?.load(as: UInt64.self) == 0x4321 + offset - start)
        }
    }

    @Test("While memory is still to come it cannot be copied, and regions stay as they are")
    func onceAtATime() throws {
        let source = try Self.dirty("random", set: "32M")
        let move = try PostCopyMove(source, cutAfter: [1 << 20], breaks: true)
        defer { move.end() }
        #expect(move.wait(for: .postcopyPaused))
        let arrived = try move.whileArriving()
        let next = try OutgoingMigration(arrived.machine, to: MigrationURI("file:/nowhere/at/all"))
        #expect { try next.run() } throws: { error in
            guard case MigrationError.regions(.arriving) = error else { return false }
            return true
        }
        #expect(throws: MachineError.self) {
            try arrived.machine.addRAM(at: MemoryRange(start: GuestAddress(0x4000_0000), count: 4096))
        }
        move.link.repair()
        #expect(move.sourceEnd() == nil && move.memoryEnd() == nil)
        arrived.expectGoodEnd()
    }

    @Test("A destination that does not do post-copy refuses it before anything is sent, and the guest goes on")
    func refusal() throws {
        let source = try Self.dirty("random")
        let move = try PostCopyMove(source, rounds: 1, allowsPostCopy: false)
        defer { move.end() }
        let failure = try #require(move.sourceEnd())
        #expect("\(failure)".contains("postcopy"))
        #expect(move.outgoing.progress.transferred == 0)
        #expect(move.destinationEnd() != nil)
        source.expectGoodEnd()
    }
}
