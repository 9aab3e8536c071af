import Testing

@testable import VMMigration

@Suite("When a migration switches over")
struct ConvergenceTests {
    /// What was sent in a second, what was to be sent, and what was written meanwhile, in MiB.
    struct Round: Sendable {
        let sent: UInt64
        let found: UInt64
        let pending: UInt64
    }

    private func steps(_ parameters: MigrationParameters, _ rounds: [Round]) -> [Convergence.Step] {
        var convergence = Convergence(parameters)
        return rounds.map {
            convergence.next(
                sent: $0.sent << 20, in: .seconds(1), found: $0.found << 20, pending: $0.pending << 20)
        }
    }

    @Test(
        "What takes no longer than the limit to send is sent while the guest stands still",
        arguments: zip([30, 31, 0, 100], [Convergence.Step.switchOver, .anotherRound, .switchOver, .anotherRound]))
    func limit(_ pending: UInt64, _ step: Convergence.Step) {
        let parameters = MigrationParameters(downtimeLimit: .milliseconds(300))
        #expect(steps(parameters, [Round(sent: 100, found: pending, pending: pending)]) == [step])
    }

    @Test("Below the limit, rounds go on as long as they are worth their time, and no longer")
    func extraRounds() {
        let parameters = MigrationParameters(downtimeLimit: .seconds(1))
        func rounds(_ pending: [UInt64]) -> [Round] {
            zip([100] + pending, pending).map { Round(sent: 100, found: $0, pending: $1) }
        }
        let shrinking = rounds([50, 20, 10, 0])
        #expect(steps(parameters, shrinking) == [.anotherRound, .anotherRound, .anotherRound, .switchOver])
        // It left too much.
        #expect(steps(parameters, rounds([50, 45])) == [.anotherRound, .switchOver])
        let many = [Round](repeating: Round(sent: 100, found: 100, pending: 50), count: 7)
        #expect(steps(parameters, many) == [Convergence.Step](repeating: .anotherRound, count: 6) + [.switchOver])
    }

    @Test("Without the wish to, the guest is never slowed down, and goes on for ever")
    func withoutThrottle() {
        let rounds = [Round](repeating: Round(sent: 100, found: 100, pending: 100), count: 50)
        #expect(steps(MigrationParameters(), rounds) == [Convergence.Step](repeating: .anotherRound, count: 50))
    }

    @Test("A guest that outruns its link is slowed down step by step, up to the most that is allowed")
    func throttle() {
        let parameters = MigrationParameters(
            autoConverge: true, cpuThrottleInitial: 40, cpuThrottleIncrement: 30, maxCPUThrottle: 80)
        let rounds = [Round](repeating: Round(sent: 100, found: 100, pending: 100), count: 8)
        #expect(
            steps(parameters, rounds) == [
                .anotherRound, .throttle(percent: 40), .anotherRound, .throttle(percent: 70), .anotherRound,
                .throttle(percent: 80), .anotherRound, .throttle(percent: 80),
            ])
    }

    @Test("Rounds that leave less and less are no reason to slow the guest down")
    func progress() {
        let rounds = (0..<8).map { Round(sent: 100, found: 1000 >> $0, pending: 500 >> $0) }
        let steps = steps(MigrationParameters(downtimeLimit: .zero, autoConverge: true), rounds)
        #expect(steps.allSatisfy { $0 == .anotherRound })
    }

    @Test("A round of a few bytes says nothing about the link")
    func fewBytes() {
        var convergence = Convergence(MigrationParameters(downtimeLimit: .milliseconds(300)))
        #expect(convergence.next(sent: 100 << 20, in: .seconds(1), found: 1, pending: 100 << 20) == .anotherRound)
        let bandwidth = convergence.bandwidth
        #expect(convergence.next(sent: 100, in: .seconds(1), found: 1, pending: 100 << 20) == .anotherRound)
        #expect(convergence.bandwidth == bandwidth)
    }

    @Test("Without a byte sent, only nothing left is little enough")
    func nothingSent() {
        var convergence = Convergence(MigrationParameters())
        #expect(convergence.next(sent: 0, in: .zero, found: 0, pending: 1) == .anotherRound)
        #expect(convergence.expectedDowntime(1) == nil)
        #expect(convergence.next(sent: 0, in: .zero, found: 0, pending: 0) == .switchOver)
    }

    @Test("Numbers as large as can be do no harm", arguments: [UInt64.max, 1 << 63, 1])
    func extremes(_ number: UInt64) {
        var convergence = Convergence(MigrationParameters(downtimeLimit: .zero, autoConverge: true))
        for _ in 0..<4 {
            _ = convergence.next(sent: number, in: .nanoseconds(1), found: number, pending: .max)
            _ = convergence.next(sent: 1, in: .seconds(Int64.max), found: number, pending: .max)
        }
        #expect(convergence.throttlePercent <= 99)
    }

    @Test("A step of throttling as large as can be reaches the limit", arguments: [Int.max, .max - 1, 1 << 62, .min])
    func hugeIncrement(_ increment: Int) {
        let parameters = MigrationParameters(
            autoConverge: true, cpuThrottleInitial: 20, cpuThrottleIncrement: increment, maxCPUThrottle: 80)
        let rounds = [Round](repeating: Round(sent: 100, found: 100, pending: 100), count: 8)
        #expect(
            steps(parameters, rounds).allSatisfy {
                if case .throttle(let percent) = $0 { percent <= 80 } else { true }
            })
    }
}
