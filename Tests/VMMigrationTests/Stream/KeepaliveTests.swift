import Glibc
import TestSupport
import Testing
import VMHost

@testable import VMMigration

@Suite("Peers that only say that they are there", .timeLimit(.minutes(10))) struct KeepaliveTests {
    /// What somebody hears whose peer says for a while that it is there, and then something.
    /// - Parameters:
    ///   - count: of keepalives, 20 ms apart.
    ///   - progress: what counts as progress, after so many calls.
    private func hear(
        _ count: Int, within limit: Duration, progress: @escaping (UInt64) -> UInt64 = { _ in 0 }
    ) throws -> Result<FrameType, MigrationError> {
        let link = try Link(Setup(transport: .pair, backend: .plain))
        let sender = link.sender
        let talker = TestThread {
            var writer = FrameWriter(sender)
            for _ in 0..<count {
                guard (try? writer.send(.keepalive)) != nil else { return }
                usleep(20_000)
            }
            try? writer.send(Abort(reason: "enough"))
        }
        var reader = FrameReader(link.receiver)
        var state = StreamState(.mainReplies)
        var calls: UInt64 = 0
        var heard: Result<FrameType, MigrationError>
        do throws(MigrationError) {
            let frame = try reader.nextWord(&state, of: .destination, within: limit) {
                calls += 1
                return progress(calls)
            }
            heard = .success(frame.type)
        } catch {
            heard = .failure(error)
        }
        talker.join()
        return heard
    }

    @Test("It is given up when that has gone on for too long")
    func tooLong() throws {
        guard
            case .failure(.noProgress(by: .destination, after: .milliseconds(200))) = try hear(
                50, within: .milliseconds(200))
        else {
            Issue.record("it was not given up")
            return
        }
    }

    @Test("It is heard where it says something in time")
    func inTime() throws {
        guard case .failure(.refused(by: .destination, "enough")) = try hear(5, within: .seconds(30)) else {
            Issue.record("it was not heard")
            return
        }
    }

    @Test("It is not given up as long as there is progress of another kind")
    func otherProgress() throws {
        guard
            case .failure(.refused(by: .destination, "enough")) = try hear(
                50, within: .milliseconds(500), progress: { $0 })
        else {
            Issue.record("it was given up")
            return
        }
    }
}
