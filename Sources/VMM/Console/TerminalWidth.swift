import Glibc

/// How wide a terminal is.
enum TerminalWidth {
    /// In characters, of that on standard output; nil where it is no terminal, or does not say.
    static var current: Int? { current(of: STDOUT_FILENO) }

    /// Of a descriptor.
    static func current(of descriptor: Int32) -> Int? {
        var size = winsize()
        guard isatty(descriptor) == 1, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }
}
