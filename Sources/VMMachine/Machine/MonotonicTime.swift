import Glibc

/// A reading of the host's monotonic clock, or of a thread's CPU clock, in nanoseconds.
struct MonotonicTime: Comparable, Hashable, Sendable {
    var nanoseconds: UInt64

    static let distantFuture = MonotonicTime(nanoseconds: .max)
    static var now: MonotonicTime { MonotonicTime(clock: CLOCK_MONOTONIC) }

    init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    init(clock: clockid_t) {
        var time = Glibc.timespec()
        clock_gettime(clock, &time)
        nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    var timespec: timespec {
        Glibc.timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }

    func advanced(by duration: Duration) -> MonotonicTime {
        let (seconds, attoseconds) = duration.components
        let added = UInt64(max(0, seconds)) &* 1_000_000_000 &+ UInt64(max(0, attoseconds) / 1_000_000_000)
        return MonotonicTime(nanoseconds: nanoseconds &+ added)
    }

    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    static func - (left: MonotonicTime, right: MonotonicTime) -> Duration {
        .nanoseconds(Int64(clamping: left.nanoseconds &- right.nanoseconds))
    }
}
