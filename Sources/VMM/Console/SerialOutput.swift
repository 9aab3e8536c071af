import Glibc
import Synchronization
import VMDevices

/// The guest's serial output on a descriptor, as standard output is one: byte for byte and at once.
final class SerialOutput: ConsoleOutput {
    private let descriptor: Int32
    private let isCancelled = Atomic<Bool>(false)
    private let failure = Atomic<Int32>(0)
    /// Called when output is lost: once, on a vCPU thread.
    private let onFailure: @Sendable () -> Void

    /// - Parameter descriptor: open for as long as the guest runs.
    init(_ descriptor: Int32, onFailure: @escaping @Sendable () -> Void) {
        self.descriptor = descriptor
        self.onFailure = onFailure
    }

    /// The errno of the write that failed, or nil.
    var failedWith: Int32? {
        let errno = failure.load(ordering: .acquiring)
        return errno == 0 ? nil : errno
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty, !isCancelled.load(ordering: .acquiring) {
            let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if written >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno == EAGAIN {
                // Somebody else, with the same terminal or pipe, has made it non-blocking.
                var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&polled, 1, 100)
            } else if errno != EINTR {
                fail(errno)
                return
            }
        }
    }

    func cancel() {
        isCancelled.store(true, ordering: .releasing)
    }

    private func fail(_ errno: Int32) {
        if failure.compareExchange(expected: 0, desired: errno, ordering: .acquiringAndReleasing).exchanged {
            onFailure()
        }
    }
}
