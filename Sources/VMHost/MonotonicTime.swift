import Glibc

/// A reading of the host's monotonic clock, or of a thread's CPU clock, in nanoseconds.
@usableFromInline
package struct MonotonicTime: Comparable, Hashable, Sendable {
    package var nanoseconds: UInt64

    package static let distantFuture = MonotonicTime(nanoseconds: .max)
    package static var now: MonotonicTime { MonotonicTime(clock: CLOCK_MONOTONIC) }

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package init(clock: clockid_t) {
        var time = Glibc.timespec()
        clock_gettime(clock, &time)
        nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    @usableFromInline
    package var timespec: timespec {
        Glibc.timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }

    /// Later by `duration`, which counts as zero where it is negative; at most `distantFuture`.
    package func advanced(by duration: Duration) -> MonotonicTime {
        let (seconds, attoseconds) = max(duration, .zero).components
        let (scaled, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .distantFuture }
        return advanced(byNanoseconds: scaled).advanced(byNanoseconds: UInt64(attoseconds) / 1_000_000_000)
    }

    /// Later by so much; at most `distantFuture`.
    package func advanced(byNanoseconds count: UInt64) -> MonotonicTime {
        let (sum, isLate) = nanoseconds.addingReportingOverflow(count)
        return isLate ? .distantFuture : MonotonicTime(nanoseconds: sum)
    }

    @usableFromInline
    package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package static func - (left: MonotonicTime, right: MonotonicTime) -> Duration {
        left < right ? .zero - (right - left) : .nanoseconds(Int64(clamping: left.nanoseconds - right.nanoseconds))
    }
}
