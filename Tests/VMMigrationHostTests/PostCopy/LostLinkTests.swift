import Glibc
import TestSupport
import Testing
import VMMachine
import VMMigration

/// Links that are lost while the guest lacks pages.
@Suite(
    "Links lost in post-copy", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct LostLinkTests {
    private static func dirty(cpus: Int = 1) throws -> LiveMachine {
        let machine = try LiveMachine("dirty", ["--set", "16M", "--pattern", "random", "--cpus", "\(cpus)"]) {
            $0.cpus = cpus
            $0.memory = ByteSize(bytes: 64 << 20)
        }
        machine.console.waitForLines(1)
        return machine
    }

    @Test("Where the link is cut again and again, the guest waits, and goes on", arguments: [1, 2])
    func cuts(_ cpus: Int) throws {
        let source = try Self.dirty(cpus: cpus)
        let move = try PostCopyMove(source, cutAfter: [1 << 20, 2 << 20, 3, 1 << 20, 1 << 20])
        defer { move.end() }
        let arrived = try move.finish()
        #expect(move.link.cuts == 5)
        #expect(move.outgoing.progress.pauses >= 4)
        #expect(move.outgoing.progress.failure == nil)
        arrived.expectGoodEnd()
    }

    @Test("Where the link is cut at any point from the switch on, the guest goes on at one side", arguments: 0..<12)
    func cutAtTheSwitch(_ step: Int) throws {
        let source = try Self.dirty()
        // The hellos, the description and the state are some 40 KiB.
        let move = try PostCopyMove(source, cutAfter: [200 + step * 4000], recoverTimeout: .seconds(20))
        defer { move.end() }
        if move.destinationEnd() == nil {
            try move.finish().expectGoodEnd("step \(step)")
        } else {
            move.outgoing.cancel()
            switch move.sourceEnd() {
            case nil: Issue.record("nobody has it, step \(step)")
            case .guestLost: #expect(source.end.isHandedOver)
            default: source.expectGoodEnd("step \(step)")
            }
        }
    }

    @Test("A source that never comes back leaves a guest that is lost, and says how many pages it lacks")
    func sourceGone() throws {
        let source = try Self.dirty()
        let move = try PostCopyMove(source, cutAfter: [2 << 20], breaks: true, recoverTimeout: .milliseconds(300))
        defer { move.end() }
        let failure = try #require(move.memoryEnd(after: move.destinationEnd()))
        guard case .guestLost(let missing, _) = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(missing > 1000)
        #expect("\(failure)".contains("\(missing) pages"))
        let arrived = try move.arrived()
        guard case .stopped = arrived.end else {
            Issue.record("it ended otherwise: \(arrived.end)")
            return
        }
        #expect(move.incoming.progress.status == .failed)
        #expect(!source.console.text.contains("CORRUPT"))
    }

    @Test("A destination that never comes back leaves a guest that is lost, which must not go on at the source")
    func destinationGone() throws {
        let source = try Self.dirty()
        let move = try PostCopyMove(source, cutAfter: [2 << 20], breaks: true, recoverTimeout: .milliseconds(300))
        defer { move.end() }
        #expect(move.wait(for: .postcopyPaused))
        usleep(200_000)
        #expect(move.outgoing.progress.status == .postcopyPaused)
        move.outgoing.cancel()
        let failure = try #require(move.sourceEnd())
        guard case .guestLost(let missing, _) = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(missing > 1000)
        #expect(source.end.isHandedOver)
        _ = move.memoryEnd()
        _ = try? move.arrived()
    }

    @Test("A guest that ends while the link is lost has ended, and the source hears of it")
    func endWithoutLink() throws {
        let source = try Self.dirty()
        let move = try PostCopyMove(source, cutAfter: [2 << 20], breaks: true)
        defer { move.end() }
        #expect(move.wait(for: .postcopyPaused))
        let arrived = try move.whileArriving()
        arrived.machine.stop()
        _ = arrived.end
        move.link.repair()
        #expect(move.memoryEnd() == nil)
        #expect(move.sourceEnd() == nil)
    }
}
