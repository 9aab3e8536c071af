import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration

@Suite(
    "Guests that outrun their link", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct LinkLimitTests {
    /// Writes some 80 MB a second, all of which is dirty after each round at a quarter of that.
    private func fastGuest() throws -> LiveMachine {
        let guest = try LiveMachine("dirty", ["--base", "2M", "--set", "4M", "--rate", "80M"]) {
            $0.memory = ByteSize(bytes: 8 << 20)
        }
        #expect(guest.waitForLines(2))
        return guest
    }

    private static let narrow = MigrationParameters(
        downtimeLimit: .milliseconds(20), maxBandwidth: 20 << 20, stallTimeout: .seconds(20))

    @Test("It goes on in rounds until it is cancelled, and then the guest runs where it was")
    func cannotConverge() throws {
        let guest = try fastGuest()
        var hop = Hop(parameters: Self.narrow)
        let rounds = Monitor(0)
        hop.onSource = { stage, migration in
            guard stage == .roundEnd else { return }
            let count = rounds.withLock { count in
                count += 1
                return count
            }
            if count == 8 { migration.cancel() }
        }
        let ends = try hop.make(guest)
        #expect(ends.progress.status == .cancelled && ends.progress.rounds.count >= 8)
        #expect(ends.progress.rounds.allSatisfy { $0.expectedDowntime.map { $0 > .milliseconds(20) } ?? true })
        ends.owner(guest).expectGoodEnd()
    }

    @Test("A guest that is slowed down gets there, and is as fast as before then")
    func autoConverge() throws {
        let guest = try fastGuest()
        var hop = Hop(parameters: Self.narrow)
        hop.parameters.autoConverge = true
        hop.parameters.cpuThrottleInitial = 60
        hop.parameters.cpuThrottleIncrement = 30
        let ends = try hop.make(guest)
        #expect(ends.source == nil && ends.progress.cpuThrottlePercentage > 0)
        #expect(ends.progress.rounds.contains { $0.throttlePercent > 0 })
        ends.owner(guest).expectGoodEnd()
    }

    @Test("It is cancelled while the guest is slowed down, which then runs freely")
    func cancelledWhileThrottled() throws {
        let guest = try fastGuest()
        var hop = Hop(parameters: Self.narrow)
        hop.parameters.autoConverge = true
        // Too little to get there.
        hop.parameters.cpuThrottleInitial = 10
        hop.parameters.cpuThrottleIncrement = 0
        hop.onSource = { if $0 == .roundEnd, $1.progress.cpuThrottlePercentage > 0 { $1.cancel() } }
        let ends = try hop.make(guest)
        #expect(ends.progress.status == .cancelled && ends.progress.cpuThrottlePercentage == 10)
        ends.owner(guest).expectGoodEnd()
    }

    @Test("The guest stands still only once what is left is expected to take no longer than it may")
    func downtimeLimit() throws {
        let guest = try fastGuest()
        let limit = Duration.milliseconds(100)
        let ends = try Hop(parameters: MigrationParameters(downtimeLimit: limit)).make(guest)
        // The last round is the one at the switch-over.
        let last = try #require(ends.progress.rounds.dropLast().last)
        #expect(try #require(last.expectedDowntime) <= limit)
        #expect(ends.progress.downtime != nil && ends.progress.downtimeStages.count >= 6)
        ends.owner(guest).expectGoodEnd()
    }

    @Test("A slowed-down guest can be paused, its memory changed, and let go, all at once")
    func throttleWithOthers() throws {
        let guest = try fastGuest()
        let throttle = try ProcessorThrottle(guest.machine)
        let machine = guest.machine
        try onThreads([
            {
                for percent in 0..<100 {
                    throttle.percent = percent
                    usleep(3000)
                }
            },
            {
                for _ in 0..<60 {
                    machine.pause()
                    usleep(500)
                    guard machine.resume() else { throw NotPaused() }
                    usleep(2000)
                }
            },
            {
                for _ in 0..<40 {
                    let added = try machine.addRAM(at: .init(start: .init(0x4000_0000), count: 1 << 20))
                    usleep(3000)
                    withExtendedLifetime(added) {}
                }
            },
        ])
        throttle.end()
        throttle.end()
        #expect(!machine.resume())
        guest.expectGoodEnd()
    }

    /// Somebody else has let the machine go on.
    private struct NotPaused: Error {}

    @Test("A throttle ends at once also while the guest is kept out, and with its machine")
    func throttleEnds() throws {
        let guest = try fastGuest()
        for _ in 0..<5 {
            let throttle = try ProcessorThrottle(guest.machine)
            throttle.percent = 99
            usleep(15_000)
        }
        let throttle = try ProcessorThrottle(guest.machine)
        throttle.percent = 500
        #expect(throttle.percent == 99)
        throttle.percent = -1
        #expect(throttle.percent == 0)
        guest.expectGoodEnd()
        throttle.percent = 99
        throttle.end()
    }
}
