import Glibc

/// A pipe with which one thread (or a signal handler) wakes another one's `poll`: what was signalled stays until taken.
final class WakePipe: Sendable {
    /// What to poll for input.
    let descriptor: Int32
    private let writeEnd: Int32

    /// Nil where the host has no descriptors left.
    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends {
            // Full, it wakes all the same; so nobody ever waits for room in it.
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        descriptor = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    /// Wakes the other thread, now or when it next polls. Allowed in a signal handler.
    func signal(_ value: UInt8 = 0) {
        withUnsafePointer(to: value) { _ = Glibc.write(writeEnd, $0, 1) }
    }

    /// The values signalled since the last call.
    func take() -> [UInt8] {
        var values = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &values, values.count)
        return Array(values.prefix(max(0, count)))
    }
}
