import Glibc

/// What a program left behind: what it wrote, and how it ended.
public struct FinishedRun: Hashable, Sendable {
    public enum Ending: Hashable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    public var ending: Ending
    /// What came on standard output; from a terminal, standard error as well.
    public var output: [UInt8]
    public var errors: String

    public init(_ ending: Ending, output: some Sequence<UInt8>, errors: String = "") {
        self.ending = ending
        self.output = Array(output)
        self.errors = errors
    }

    public init(_ status: Int32, _ output: String, errors: String = "") {
        self.init(.exited(status), output: output.utf8, errors: errors)
    }

    /// The output as text.
    public var text: String { String(decoding: output, as: UTF8.self) }

    public var errorLines: [Substring] { errors.split(separator: "\n") }
}

extension FinishedRun: CustomStringConvertible {
    public var description: String {
        "\(ending), output \(String(text.prefix(2000)).debugDescription), errors \(errors.prefix(4000).debugDescription)"
    }
}

extension FinishedRun.Ending {
    /// From what `waitpid(2)` gave.
    init(waitStatus status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
    }
}

/// Why a program could not be run to its end.
public struct ChildError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    init(_ call: String, _ errno: Int32) {
        self.init("\(call) failed: \(String(cString: strerror(errno)))")
    }
}
