import Glibc

/// How wide the terminal on standard output is.
enum TerminalWidth {
    /// In characters; nil where it is no terminal, or does not say.
    static var current: Int? {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }
}
