import Glibc
import VMBoot

/// The stream for everything that is not the guest's output.
enum StandardError {
    /// Writes an error as one line. What is in it of names and of others' text cannot drive the reader's terminal.
    static func report(_ error: String) {
        write("vmm: error: " + error.escapingControlCharacters)
    }

    /// Writes one or more lines, and ends the last.
    static func write(_ text: String) {
        put(text + "\n")
    }

    /// Writes a line of a terminal over the one before that this wrote, cut to the terminal's width.
    /// - Parameter isLast: whether the line is to stay.
    static func writeOver(_ text: String, isLast: Bool) {
        let width = TerminalWidth.current(of: STDERR_FILENO) ?? 80
        let line = text.escapingControlCharacters
        put("\r\u{1b}[K" + (isLast ? line + "\r\n" : String(line.prefix(max(1, width - 1)))))
    }

    private static func put(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeBufferPointer(rebasing: bytes[...])
            while !rest.isEmpty {
                let written = Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
                if written < 0, errno == EINTR { continue }
                // Where even this stream is broken there is nobody left to tell.
                guard written >= 0 else { return }
                rest = UnsafeBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
