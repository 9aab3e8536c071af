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
        var line = text + "\n"
        line.withUTF8 { bytes in
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
