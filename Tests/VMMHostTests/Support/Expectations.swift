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
    #expect(run.ending == .exited(status), "\(run)", sourceLocation: sourceLocation)
    #expect(run.text == "", sourceLocation: sourceLocation)
    expectErrorLine(run, words, sourceLocation: sourceLocation)
}

/// Expects exactly one line on standard error.
func expectErrorLine(_ run: FinishedRun, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(run.errors.hasPrefix("vmm: error: "), "\(run)", sourceLocation: sourceLocation)
    #expect(run.errors.hasSuffix("\n"), "\(run)", sourceLocation: sourceLocation)
    #expect(run.errorLines.count == 1, "more than one line: \(run)", sourceLocation: sourceLocation)
    #expect(
        !run.errors.dropLast().unicodeScalars.contains { $0.properties.generalCategory == .control },
        "control characters: \(run)", sourceLocation: sourceLocation)
    for word in words {
        #expect(run.errors.contains(word), "no \(word.debugDescription): \(run)", sourceLocation: sourceLocation)
    }
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

    var testDescription: String {
        arguments.joined(separator: " ")
    }
}
