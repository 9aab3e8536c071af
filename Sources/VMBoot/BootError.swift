/// Why a guest cannot be started from what was given: one line that says what is wrong, where, and what to do.
public struct BootError: Error, Hashable, Sendable {
    /// What is to blame; a program's exit status can follow from it.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A file is not there, cannot be opened, or is no regular file.
        case noSuchInput
        /// A file may not be read.
        case notPermitted
        /// The bytes are no image of the format they should be of, or cannot be read.
        case badImage
        /// The image is sound, but this guest's memory cannot hold it.
        case doesNotFit
        /// The guest's memory is there and cannot be written: the host failed, or does not let it.
        case memoryFailure
        /// What was asked for makes no sense, or not for this format.
        case badOption
    }

    /// What is to blame.
    public let kind: Kind
    /// The image or the path at fault, in printable characters.
    public let subject: String
    /// What, where and what to do, in printable characters.
    public let message: String

    /// - Parameter subject: the image or the path at fault. Control characters in it and in `message` are
    ///   escaped: a file's name must not drive the reader's terminal.
    public init(_ kind: Kind, _ subject: String, _ message: String) {
        self.kind = kind
        self.subject = subject.escapingControlCharacters
        self.message = message.escapingControlCharacters
    }
}

extension BootError: CustomStringConvertible {
    /// `subject: message`, one line.
    public var description: String { "\(subject): \(message)" }
}
