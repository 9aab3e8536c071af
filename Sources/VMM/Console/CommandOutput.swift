import SystemPackage

/// What a command itself has to show, on standard output.
enum CommandOutput {
    /// Writes the text and a line end.
    static func print(_ text: String) throws(Failure) {
        try put(text + "\n")
    }

    /// Writes the text.
    static func put(_ text: String) throws(Failure) {
        do {
            try FileDescriptor.standardOutput.writeAll(text.utf8)
        } catch {
            throw Failure(.ioError, "cannot write the output: \(error)")
        }
    }
}
