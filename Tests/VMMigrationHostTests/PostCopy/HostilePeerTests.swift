import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMState

@testable import VMMigration

/// Peers that say what they must not, in post-copy.
@Suite(
    "Hostile peers in post-copy", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct HostilePeerTests {
    /// What a destination says once it has the guest.
    enum Saying: String, CaseIterable, Sendable {
        case blockThatIsNot, pagesThatAreNot, overflow, otherMessage, missingOnceMore, flood, wrongDigest, abort

        func say(on channel: DestinationChannel) throws {
            switch self {
            case .blockThatIsNot: try channel.reply(PageRequest(PageRun(block: 1000, pages: 0..<1)))
            case .pagesThatAreNot: try channel.reply(PageRequest(PageRun(block: 0, pages: 0..<(1 << 40))))
            case .overflow: try channel.reply(PageRequest(PageRun(block: 0, pages: (.max - 1)..<(.max))))
            case .otherMessage: try channel.reply(RoundDone(round: 3))
            case .missingOnceMore: try channel.sendMissing(ReceivedPages([RAMBlock(name: "ram", pageCount: 1)]))
            case .flood:
                // Nothing is read, so that most of these pages are never sent.
                for number in 0..<20_000 {
                    let page = UInt64(4200 + number % 1500)
                    try channel.reply(PageRequest(PageRun(block: 0, pages: page..<(page + 1))))
                }
            case .wrongDigest:
                try channel.readAll()
                try channel.reply(Received(digest: 1))
            case .abort: channel.abort("no")
            }
        }
    }

    @Test("What a destination says that it must not ends the link, and not the source", arguments: Saying.allCases)
    func destinations(_ saying: Saying) throws {
        let fake = try FakeDestination()
        // The source may be gone before all is said.
        try? saying.say(on: fake.channel)
        let deadline = Deadline(.seconds(60))
        while fake.outgoing.progress.status != .postcopyPaused, !deadline.hasPassed { usleep(1000) }
        let pause = try #require(fake.outgoing.progress.failure)
        if saying == .flood { #expect(pause.contains("requests for pages wait")) }
        fake.outgoing.cancel()
        let failure = try #require(fake.end())
        guard case .guestLost = failure else {
            Issue.record("\(failure)")
            return
        }
    }

    @Test("Requests that are made again and again, and for pages that were sent, come to nothing")
    func duplicates() throws {
        let fake = try FakeDestination()
        for page in 0..<2000 {
            try fake.channel.reply(PageRequest(PageRun(block: 0, pages: 0..<UInt64(1 + page % 7))))
        }
        let counts = try fake.channel.readAll()
        #expect(counts == fake.outgoing.progress.total >> 12)
        try fake.channel.reply(Received(digest: fake.channel.digest))
        #expect(fake.end() == nil)
        #expect(fake.outgoing.progress.status == .completed)
    }

    @Test("A source that says it has sent all, and has not, is not believed")
    func earlyEnd() throws {
        let fake = try FakeSource(recoverTimeout: .milliseconds(100))
        try fake.switchOver(missing: fake.all)
        try fake.channel.send(Complete(digest: fake.channel.digest, sent: PageCounts()))
        let failure = try #require(fake.memoryEnd())
        guard case .guestLost(let missing, let reason) = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(missing == fake.all.count)
        #expect(reason.contains("never came"))
    }

    @Test("Pages that have not come have to be said to follow")
    func silentlyMissing() throws {
        let fake = try FakeSource()
        var missing = fake.all
        missing.remove(PageRun(block: 0, pages: 5..<6))
        #expect { try fake.switchOver(missing: missing) } throws: { error in
            guard case MigrationError.refused(by: .destination, let reason) = error else { return false }
            return reason.contains("pages have not come")
        }
        #expect(fake.memoryEnd() != nil)
    }

    @Test("Pages that were not sent by post-copy cannot be said to be missing")
    func missingWithoutPostCopy() throws {
        let fake = try FakeSource(features: [])
        #expect { try fake.switchOver(missing: fake.all) } throws: { error in
            guard case MigrationError.refused(by: .destination, let reason) = error else { return false }
            return reason.contains("not agreed on")
        }
        #expect(fake.memoryEnd() != nil)
    }
}

extension DestinationChannel {
    /// Reads pages until the source says that these were all.
    /// - Returns: how many.
    @discardableResult
    func readAll() throws -> UInt64 {
        var count: UInt64 = 0
        while true {
            let frame = try nextFrame()
            guard frame.type == .memory else { return count }
            try MemoryChunk(frame, of: [RAMBlock(name: "", pageCount: 1 << 40)]).forEachRun { run, _ in
                count += UInt64(run.pages.count)
            }
        }
    }
}

/// A destination that a source gives its guest to, and that does with the link what a test wants.
private final class FakeDestination {
    let outgoing: OutgoingMigration
    let channel: DestinationChannel
    private let source: LiveMachine
    private let thread: pthread_t
    private let told = SourceEnd()

    final class SourceEnd: Sendable {
        let failure = Monitor<MigrationError?>(nil)
    }

    /// Returns when the source believes that its guest runs here.
    init() throws {
        let folder = try TemporaryFolder()
        let listener = try Listener(MigrationURI("unix:" + folder.path("socket")))
        // With memory that has contents up to some 23 MiB.
        source = try LiveMachine("dirty", ["--set", "7M"])
        source.console.waitForLines(1)
        let outgoing = try OutgoingMigration(
            source.machine, to: listener.uri, MigrationParameters(postCopy: .afterRounds(0)))
        self.outgoing = outgoing
        let told = told
        thread = try HostThread.start(stackSize: 1 << 20) {
            do throws(MigrationError) { try outgoing.run() } catch { told.failure.withLock { $0 = error } }
        }
        channel = DestinationChannel(
            try listener.accept(deadline: .now + .seconds(60)), progressTimeout: .seconds(300))
        let (hello, version) = try channel.readHello()
        try channel.answer(hello, version, [PostCopy.feature])
        _ = try channel.records(.description)
        try channel.reply(.accepted)
        // It drops no pages, as it has none.
        while try channel.nextFrame().type != .roundEnd {}
        try channel.reply(RoundDone(round: 0))
        while try channel.nextFrame().type != .end {}
        channel.expectPostCopy()
        try channel.reply(Ready(restoreNanoseconds: 1))
        #expect(try channel.nextFrame().type == .commit)
        try channel.reply(.running)
    }

    func end() -> MigrationError? {
        pthread_join(thread, nil)
        return told.failure.withLock(\.self)
    }
}

/// A source of a real guest, which does with the link what a test wants.
private final class FakeSource {
    let channel: SourceChannel
    let all: PageSet
    private let source: LiveMachine
    private let incoming: IncomingMigration
    private let arrival: Arrival

    init(features: [String] = [PostCopy.feature], recoverTimeout: Duration? = .seconds(60)) throws {
        let folder = try TemporaryFolder()
        source = try LiveMachine("spin")
        incoming = try IncomingMigration(
            at: MigrationURI("unix:" + folder.path("socket")), recoverTimeout: recoverTimeout)
        arrival = try Arrival(
            incoming, MachineConfiguration.Restoring(timeout: LiveMachine.timeout), source.console, EndedSides())
        source.machine.pause()
        let model = try source.machine.saveModel()
        let memory = try SourceMemory(source.machine)
        var all = PageSet(memory.blocks)
        for (index, block) in memory.blocks.enumerated() {
            all.insert(PageRun(block: index, pages: 0..<block.pageCount))
        }
        self.all = all
        let connection = try Connection.connect(incoming.uri, deadline: .now + .seconds(60))
        channel = SourceChannel(connection, 0, TransferCounters(), nil, progressTimeout: .seconds(300))
        try channel.greet(Hello(side: .source, program: "fake", migration: .random(), features: features))
        try channel.send(.description, encoded: model.encoded)
        try channel.expect(.accepted)
    }

    /// Gives the guest away.
    func switchOver(missing: PageSet) throws {
        try channel.sendMissing(missing)
        try channel.send(.state, encoded: try source.machine.saveState().encoded)
        try channel.send(End(digests: [channel.digest], sent: PageCounts(), isPostCopy: true))
        let _: Ready = try channel.receive()
        channel.expectsPostCopy()
        try channel.send(.commit)
        try channel.expect(.running)
    }

    /// Why the guest, or its memory, has not come.
    func memoryEnd() -> MigrationError? {
        let ends = arrival.end(Hop.Ends(progress: MigrationProgress()))
        if let failure = ends.destination { return failure }
        do throws(MigrationError) {
            try incoming.waitForMemory()
            return nil
        } catch {
            return error
        }
    }
}
