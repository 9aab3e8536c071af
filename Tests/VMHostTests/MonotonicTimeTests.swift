import Glibc
import Testing
import VMHost

@Suite struct MonotonicTimeTests {
    @Test func `it goes on and never back`() {
        let first = MonotonicTime.now
        usleep(1000)
        let second = MonotonicTime.now
        #expect(second - first >= .milliseconds(1))
    }

    @Test func `what would pass the end of time is the end`() {
        #expect(MonotonicTime.now.advanced(by: .seconds(Int64.max)) == .distantFuture)
        #expect(MonotonicTime.distantFuture.advanced(by: .nanoseconds(1)) == .distantFuture)
    }

    @Test func `a negative duration does not go back`() {
        let time = MonotonicTime(nanoseconds: 5)
        #expect(time.advanced(by: .seconds(-1)) == time)
        #expect(time.advanced(by: .nanoseconds(1_500_000_000)) == MonotonicTime(nanoseconds: 1_500_000_005))
    }

    @Test func `a difference has a sign`() {
        let (early, late) = (MonotonicTime(nanoseconds: 3), MonotonicTime(nanoseconds: 10))
        #expect(late - early == .nanoseconds(7))
        #expect(early - late == .nanoseconds(-7))
    }
}
