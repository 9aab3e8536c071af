import Glibc
import TestSupport
import Testing
import VMHost

@testable import VMMachine
@testable import VMMigration

/// What a source makes of those who answer when it asks what has become of its guest.
@Suite(
    "Answers about a guest", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct FalseVerdictTests {
    /// What is answered.
    enum Answer: String, CaseIterable, Sendable {
        /// By the destination itself.
        case never, runs
        /// By a destination that knows of no such guest.
        case unknown
        /// By a program that says hello and does not know the question.
        case helloAlone
        /// About another guest.
        case otherGuest
        case garbage
        case nothing
    }

    @Test("Only an answer about this very guest counts, and it does at once", arguments: Answer.allCases)
    func answers(_ answer: Answer) throws {
        let guest = try smallDirtyGuest()
        let destination = try FalseDestination(answer)
        let migration = try OutgoingMigration(
            guest.machine, to: destination.uri,
            MigrationParameters(
                stallTimeout: .milliseconds(500), rejoinTimeout: answer.isTrue ? .seconds(30) : .seconds(1)))
        let failure = Hop.failure { () throws(MigrationError) in try migration.run() }
        destination.end()
        #expect(destination.questions > 0)
        switch (answer, failure) {
        case (.runs, nil): #expect(guest.end.isHandedOver)
        case (.never, .refused(by: .destination, _)): guest.expectGoodEnd()
        case (_, .inDoubt) where !answer.isTrue:
            #expect(guest.machine.control.isPaused && guest.machine.resume())
            guest.expectGoodEnd()
        default: Issue.record("\(answer): \(String(describing: failure))")
        }
    }
}

extension FalseVerdictTests.Answer {
    var isTrue: Bool { self == .never || self == .runs }
}

/// A destination that takes the source's word, ends the link, and answers as it likes.
private final class FalseDestination: Sendable {
    let uri: MigrationURI
    private let answer: FalseVerdictTests.Answer
    private let listening: Listening
    private let asked = Monitor(0)
    private let thread = Monitor<pthread_t?>(nil)

    private final class Listening: Sendable {
        let listener: Listener

        init(_ listener: consuming Listener) {
            self.listener = listener
        }
    }

    init(_ answer: FalseVerdictTests.Answer) throws {
        self.answer = answer
        let listener = try Listener(MigrationURI("tcp:127.0.0.1:0"))
        uri = listener.uri
        listening = Listening(listener)
        let started = try HostThread.start(stackSize: 1 << 20) { [self] in
            try? takeGuest()
            while let channel = try? accept() {
                asked.withLock { $0 += 1 }
                try? tell(channel)
            }
        }
        thread.withLock { $0 = started }
    }

    var questions: Int { asked.withLock(\.self) }

    func end() {
        listening.listener.cancellation.cancel()
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    private func accept() throws -> DestinationChannel {
        let connection = try listening.listener.accept(deadline: .now + .seconds(30))
        connection.stallTimeout = .seconds(5)
        return DestinationChannel(connection, progressTimeout: .seconds(300))
    }

    private func takeGuest() throws {
        let channel = try accept()
        let (hello, version) = try channel.readHello()
        try channel.answer(hello, version, [])
        _ = try channel.records(.description)
        try channel.reply(.accepted)
        while true {
            let frame = try channel.nextFrame()
            if frame.type == .roundEnd {
                try channel.reply(RoundDone(round: try frame.message(RoundEnd.self).round))
            }
            if frame.type == .end { break }
        }
        try channel.reply(Ready(restoreNanoseconds: 1))
        _ = try channel.nextFrame()
    }

    private func tell(_ channel: DestinationChannel) throws {
        let (hello, version) = try channel.readHello()
        switch answer {
        case .unknown: channel.abort("nothing is known here of the guest of that migration")
        case .helloAlone: try channel.answer(hello, version, [])
        case .garbage: try [UInt8](repeating: 0x5a, count: 64).withUnsafeBytes { try channel.connection.write($0) }
        case .nothing: usleep(700_000)
        case .never, .runs, .otherGuest:
            try channel.answer(hello, version, [HandOverDecision.question])
            channel.beginAnswering()
            let id = answer == .otherGuest ? MigrationID.random() : hello.migration
            try channel.reply(Verdict(id, isRunning: answer == .runs))
            _ = try channel.nextFrame()
        }
    }
}
