import BenchmarkSupport
import Glibc

/// Counts the instructions that a program executes in user mode, its guest's not included.
enum InstructionCounter: String {
    /// The processor's own counters.
    case perf
    /// Valgrind's simulation, where there are none.
    case callgrind

    /// The best that this host offers; nil where it offers none.
    static var available: InstructionCounter? {
        for counter in [InstructionCounter.perf, .callgrind] where (try? counter.count(["/bin/true"])) != nil {
            return counter
        }
        return nil
    }

    func count(_ command: [String]) throws -> UInt64 {
        let child = try Child(tool + command, includesErrors: true)
        let (output, _) = child.finish()
        guard let count = output.split(separator: "\n").lazy.compactMap(parse).first else {
            throw BenchmarkError("\(rawValue) counted nothing for \(command[0])")
        }
        return count
    }

    private var tool: [String] {
        switch self {
        // The H leaves out what the guest executes.
        case .perf: ["perf", "stat", "-x", ",", "-e", "instructions:uH", "--"]
        case .callgrind: ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        }
    }

    /// The count, where the line is the one that holds it.
    private func parse(_ line: Substring) -> UInt64? {
        switch self {
        case .perf:
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            return fields.count > 2 && fields[2].hasPrefix("instructions") ? UInt64(fields[0]) : nil
        case .callgrind:
            let words = line.split(separator: " ")
            return words.count == 4 && words[1] == "Collected" ? UInt64(words[3]) : nil
        }
    }
}
