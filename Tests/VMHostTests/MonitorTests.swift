import TestSupport
import Testing
import VMHost

@Suite(.timeLimit(.minutes(10))) struct MonitorTests {
    private struct Refusal: Error {}

    @Test func `threads change the value one after another`() throws {
        let monitor = Shared(Monitor(0))
        try onThreads(4) { _ in
            for _ in 0..<10_000 { monitor.value.withLock { $0 += 1 } }
        }
        #expect(monitor.value.withLock { $0 } == 40_000)
    }

    @Test func `a change wakes who waits for it`() throws {
        let monitor = Shared(Monitor(0))
        try onThreads([
            { #expect(monitor.value.wait { $0 == 3 ? "three" : nil } == "three") },
            { for _ in 0..<3 { monitor.value.change { $0 += 1 } } },
        ])
    }

    @Test func `a wait ends at its deadline`() {
        let monitor = Monitor(0)
        let start = MonotonicTime.now
        let result: Int? = monitor.wait(until: start.advanced(by: .milliseconds(20))) { _ in nil }
        #expect(result == nil)
        #expect(MonotonicTime.now - start >= .milliseconds(20))
    }

    @Test func `a deadline that has passed still has one look`() {
        let monitor = Monitor(7)
        #expect(monitor.wait(until: MonotonicTime(nanoseconds: 0)) { $0 } == 7)
    }

    @Test func `what throws leaves the lock free`() {
        let monitor = Monitor(0)
        #expect(throws: Refusal.self) { try monitor.change { (_) throws(Refusal) in throw Refusal() } }
        #expect(throws: Refusal.self) { try monitor.wait { (_) throws(Refusal) -> Int? in throw Refusal() } }
        #expect(monitor.withLock { $0 } == 0)
    }

    private final class Shared<State>: Sendable {
        let value: Monitor<State>

        init(_ value: consuming Monitor<State>) {
            self.value = value
        }
    }
}
