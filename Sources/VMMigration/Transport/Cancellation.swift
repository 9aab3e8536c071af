import CTransport
import Glibc
import Synchronization
import SystemPackage
import VMHost

/// A flag that ends waiting: once set, the calls that look at it throw `TransportError.cancelled`, those in progress and
/// later ones. It stays set.
///
/// Threads: any, several at once.
public final class Cancellation: Sendable {
    /// An eventfd(2), readable from the cancelling on: nobody takes its count.
    let descriptor: CInt
    private let flag = Atomic<Bool>(false)

    /// - Throws: `.system` where the process has no descriptor left.
    public init() throws(TransportError) {
        let result = ctransport_eventfd()
        guard result >= 0 else { throw .system(operation: "eventfd", Errno(rawValue: -result)) }
        descriptor = result
    }

    deinit {
        close(descriptor)
    }

    public var isCancelled: Bool { flag.load(ordering: .acquiring) }

    /// Never waits.
    public func cancel() {
        guard !flag.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        // The flag is set first: whoever wakes up from this sees it. An eventfd at 0 takes a 1 at once.
        while write(descriptor, &one, 8) < 0, errno == EINTR {}
    }

    /// Waits until `watched` is ready, as poll(2) has it.
    /// - Parameters:
    ///   - watched: -1 to wait for the deadline alone.
    ///   - deadline: nil to wait for ever.
    /// - Throws: `.stalled` once the deadline has passed.
    func wait(for events: CInt, on watched: CInt, until deadline: MonotonicTime?) throws(TransferFailure) {
        while true {
            if isCancelled { throw .cancelled }
            var timeout: CInt = -1
            if let deadline {
                let now = MonotonicTime.now
                guard now < deadline else { throw .stalled }
                // Rounded up, so that it does not spin through the last millisecond.
                timeout = CInt(clamping: (deadline.nanoseconds - now.nanoseconds + 999_999) / 1_000_000)
            }
            // A tuple, as an array would be allocated.
            var polled = (
                pollfd(fd: watched, events: Int16(truncatingIfNeeded: events), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            )
            let result = withUnsafeMutablePointer(to: &polled) { pair in
                // SAFETY: a tuple of two of a kind is laid out as they would be in an array.
                pair.withMemoryRebound(to: pollfd.self, capacity: 2) { poll($0, 2, timeout) }
            }
            if result < 0, errno != EINTR { throw .system(.last) }
            if result > 0, polled.0.revents != 0, !isCancelled { return }
        }
    }
}
