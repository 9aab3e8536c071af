import Glibc

public func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// How long something takes.
public func microseconds(_ body: () throws -> Void) rethrows -> Double {
    let started = monotonicNanoseconds()
    try body()
    return Double(monotonicNanoseconds() - started) / 1000
}
