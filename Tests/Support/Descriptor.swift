import Glibc
import Synchronization

/// An open file descriptor, closed with its last reference and in every child unless passed on.
final class Descriptor {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Held while there are descriptors that a child started now would inherit, and while one is started: an end of a
    /// pipe that another child holds would keep the pipe from ending.
    static let inheritance = Mutex<Void>(())

    static func pipe() throws(ChildError) -> (reading: Descriptor, writing: Descriptor) {
        var ends: [Int32] = [-1, -1]
        let isMade = inheritance.withLock { _ in
            guard Glibc.pipe(&ends) == 0 else { return false }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return true
        }
        guard isMade else { throw ChildError("pipe", errno) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    /// Makes reads and writes return at once, for a loop that polls.
    func stopBlocking() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    }
}
