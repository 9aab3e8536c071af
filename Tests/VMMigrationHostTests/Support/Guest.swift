import Testing
import VMMachine

/// A guest that checks itself, and what it prints when nothing goes wrong.
enum DirtyOutput {
    /// Whether the lines are `pass N ok` from 1 on without a gap, and then the last.
    static func isUnbroken(_ text: String) -> Bool {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.popLast() == "", let last = lines.popLast() else { return false }
        for (index, line) in lines.enumerated() where line != "pass \(index + 1) ok" { return false }
        // The pass it was in when it was told to end has no line where that comes first.
        return last == "dirty: \(lines.count) passes ok" || last == "dirty: \(lines.count + 1) passes ok"
    }
}

extension Hop.Ends {
    /// The one machine that has the guest now: two never have it, and none never.
    /// - Parameter source: of the hop.
    func owner(_ source: LiveMachine) -> LiveMachine {
        let sides = "source: \(self.source.map { "\($0)" } ?? "done"), destination: \(destination.map { "\($0)" } ?? "done")"
        guard let arrived else {
            #expect(self.source != nil && !isInDoubt, "nobody has it; \(sides)")
            #expect(!source.machine.resume(), "the source was left standing still; \(sides)")
            return source
        }
        if self.source == nil {
            #expect(source.end.isHandedOver, "\(sides)")
        } else {
            #expect(isInDoubt, "both have it; \(sides)")
            #expect(!source.hasEnded && source.machine.resume(), "the source does not stand still; \(sides)")
            // As its user would.
            source.machine.stop()
        }
        return arrived
    }

    var isInDoubt: Bool {
        if case .inDoubt = source { true } else { false }
    }
}

extension LiveMachine {
    /// Tells the guest `dirty` to end, and looks whether all it says is as it should be.
    func expectGoodEnd(_ comment: Comment? = nil) {
        let before = console.lineCount
        #expect(console.waitForLines(before + 2), comment)
        send("\u{4}")
        let end = end
        #expect(end.isGood, "\(end): \(comment?.description ?? "")")
        #expect(DirtyOutput.isUnbroken(console.text), "\(console.text.suffix(300)) \(comment?.description ?? "")")
    }
}
