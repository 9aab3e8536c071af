import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// For tests in which a guest runs, or the host's KVM is asked.
    static var needsKVM: Self {
        .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason))
    }

    /// For tests of what a user without rights is told.
    static var needsToBeNobody: Self {
        .enabled(if: VMMProgram.canRunUnprivileged, Comment(rawValue: VMMProgram.unprivilegedSkipReason))
    }
}

/// Expects that the program refused: nothing on standard output, and on standard error one line that begins with
/// `vmm: error: `, can drive no terminal, and has these words in it.
func expectRefusal(
    _ run: FinishedRun, _ status: Int32, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
) {
    var faults = faults(of: run, words)
    if run.ending != .exited(status) { faults.insert("is not status \(status)", at: 0) }
    if run.text != "" { faults.append("has output") }
    report(faults, run, sourceLocation)
}

/// Expects exactly one such line on standard error.
func expectErrorLine(_ run: FinishedRun, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    report(faults(of: run, words), run, sourceLocation)
}

private func report(_ faults: [String], _ run: FinishedRun, _ sourceLocation: SourceLocation) {
    if !faults.isEmpty {
        Issue.record("\(faults.joined(separator: ", ")): \(run)", sourceLocation: sourceLocation)
    }
}

/// What is wrong with the messages of a run.
private func faults(of run: FinishedRun, _ words: [String]) -> [String] {
    var faults: [String] = []
    if !run.errors.hasPrefix("vmm: error: ") { faults.append("does not begin with vmm: error:") }
    if run.errorLines.count != 1 || !run.errors.hasSuffix("\n") { faults.append("is not one line") }
    if run.errorLines.contains(where: { $0.unicodeScalars.contains(where: \.isControl) }) {
        faults.append("has control characters")
    }
    return faults + words.filter { !run.errors.contains($0) }.map { "lacks \($0.debugDescription)" }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool { properties.generalCategory == .control }
}

/// What the program is given, and what it should say to that.
struct Refusal: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let status: Int32
    let words: [String]

    init(_ arguments: [String], _ status: Int32, _ words: [String]) {
        self.arguments = arguments
        self.status = status
        self.words = words
    }

    /// With the status for what the command line gets wrong.
    init(_ arguments: [String], _ words: [String]) {
        self.init(arguments, 64, words)
    }

    /// Hostile names must not drive the terminal of whoever runs the tests either.
    var testDescription: String {
        arguments.map { $0.contains { $0.isNewline } ? $0.debugDescription : $0 }.joined(separator: " ")
    }
}
