import Glibc

public enum Output {
    /// Prints a line at once, also where the output is no terminal.
    public static func show(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// Prints a line for people to standard error.
    public static func complain(_ message: String) {
        let line = "bench: \(message)\n"
        _ = write(STDERR_FILENO, line, line.utf8.count)
    }
}
