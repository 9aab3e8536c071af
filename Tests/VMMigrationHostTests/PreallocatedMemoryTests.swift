import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMMachine
import VMMigration
import VMRegions

/// Guests whose memory the destination has ready.
@Suite(
    "Guests that come to memory that was provided in advance",
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized, .timeLimit(.minutes(10)))
struct PreallocatedMemoryTests {
    /// For a guest of 24 MiB: all of it, most of it in odd pages, and too much.
    static let sizes: [UInt64] = [24 << 20, 13 << 20 | 4096, 40 << 20]
    private static let guestSize: UInt64 = 24 << 20

    private static func expectTaken(_ pool: PreallocatedMemory, of size: UInt64) {
        #expect(pool.remainingByteCount == size - min(size, guestSize))
    }

    @Test("No page is lost, however much of it there is", arguments: sizes, [Hop.Transport.unix, .pair, .file])
    func noPageIsLost(_ size: UInt64, _ transport: Hop.Transport) throws {
        var guest = try LiveMachine("dirty", ["--set", "8M", "--rate", "40M", "--pattern", "random"])
        for channels in transport == .unix ? [1, 4] : [1] {
            #expect(guest.waitForLines(1))
            let pool = try PreallocatedMemory(byteCount: size)
            var hop = Hop(transport: transport, preallocated: pool)
            hop.parameters.channels = channels
            let ends = try hop.make(guest)
            #expect(ends.source == nil && ends.destination == nil, "\(ends)")
            guest = ends.owner(guest)
            Self.expectTaken(pool, of: size)
            pool.giveBack()
            #expect(pool.remainingByteCount == 0)
        }
        guest.expectGoodEnd()
    }

    @Test("All memory is what it was at the source, zeros too", arguments: sizes)
    func sameMemory(_ size: UInt64) throws {
        let guest = try LiveMachine("dirty", ["--set", "8M", "--rate", "40M", "--pattern", "random"])
        #expect(guest.waitForLines(2))
        var hop = Hop(preallocated: try PreallocatedMemory(byteCount: size))
        hop.parameters.verifiesMemory = true
        let ends = try hop.make(guest)
        #expect(ends.source == nil && ends.destination == nil, "\(ends)")
        ends.owner(guest).expectGoodEnd()
    }

    @Test("A migration that fails leaves the next what it has not taken")
    func failure() throws {
        let pool = try PreallocatedMemory(byteCount: 2 * Self.guestSize)
        var failing = Hop(preallocated: pool)
        failing.onMachine = { (_) throws(MachineError) in throw .thread(EAGAIN) }
        var guest = try LiveMachine("dirty", ["--set", "8M", "--rate", "40M", "--pattern", "random"])
        #expect(guest.waitForLines(1))
        let ends = try failing.make(guest)
        #expect(ends.source != nil && ends.destination != nil)
        guest = ends.owner(guest)
        #expect(pool.remainingByteCount == Self.guestSize)
        let next = try Hop(preallocated: pool).make(guest)
        #expect(next.source == nil && next.destination == nil, "\(next)")
        #expect(pool.remainingByteCount == 0)
        next.owner(guest).expectGoodEnd()
    }

    // MARK: Before its memory

    @Test(
        "A guest that comes before its memory waits for each page that is not its own yet", arguments: sizes, [0, 1, 2])
    func postCopy(_ size: UInt64, _ rounds: Int) throws {
        let pool = try PreallocatedMemory(byteCount: size)
        let source = try LiveMachine("dirty", ["--set", "8M", "--pattern", "random"])
        #expect(source.waitForLines(2))
        let move = try PostCopyMove(source, rounds: rounds, preallocated: pool)
        defer { move.end() }
        let arrived = try move.finish()
        Self.expectTaken(pool, of: size)
        #expect(move.incoming.progress.requests.count > 0 || rounds > 0)
        arrived.expectGoodEnd()
    }

    /// Read from the end on, as they are sent from the start: most are still to come when they are read.
    @Test("Nobody finds zeros where a page is still to come", arguments: sizes, [0, 1])
    func noZeros(_ size: UInt64, _ rounds: Int) throws {
        let pool = try PreallocatedMemory(byteCount: size)
        let peek = try PeekGuest()
        let start: UInt64 = 8 << 20
        #expect(peek.ask("fill \(start) 12M 0x1234") == "done")
        // Written anew meanwhile, so that there is something left to come after a round.
        #expect(peek.ask("churn 2M 1M") == "done")
        let move = try PostCopyMove(peek.machine, rounds: rounds, preallocated: pool)
        defer { move.end() }
        let arrived = PeekGuest(try move.whileArriving())
        // The monitor waits for pages as the guest does.
        let memory = arrived.machine.machine.memory
        for offset in stride(from: UInt64(12 << 20) - 4096, through: 0, by: -1 << 20) {
            #expect(try memory.load(GuestAddress(start + offset), as: UInt64.self) == 0x1234 + offset)
        }
        #expect(arrived.ask("stop").hasSuffix(" 0 errors"))
        #expect(arrived.ask("check \(start) 12M 0x1234") == "good")
        #expect(move.sourceEnd() == nil && move.memoryEnd() == nil)
    }
}
