import Glibc

/// Standard input, output and error of a program that was started with some of them closed.
enum StandardDescriptors {
    /// Puts something in the place of closed ones, so that no other file opened later gets their numbers. Reading from it
    /// or writing to it fails as if it were still closed.
    static func fillClosed() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one, since those below are taken.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }
}
