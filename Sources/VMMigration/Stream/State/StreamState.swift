/// Which frames may come next in one direction of a channel: a pure value, which the reader of the direction goes on with.
///
/// A source may keep to the same value for what it sends.
public struct StreamState: Hashable, Sendable {
    /// Which direction of which channel.
    public enum Direction: Hashable, Sendable, CaseIterable {
        /// What the source sends on the first channel.
        case main
        /// What it sends on each other, which is memory.
        case extra
        /// What the destination sends on the first channel.
        case mainReplies
        /// What it sends on each other.
        case extraReplies
    }

    public enum Phase: Hashable, Sendable, CaseIterable {
        case hello
        case description
        case accepted
        /// Between rounds of memory.
        case rounds
        /// Within one.
        case round
        case end
        /// The source sent everything, and the destination is to be told that the machine is its own.
        case commit
        case running
        /// The machine runs at the destination, which lacks pages.
        case postCopy
        /// The source has given the machine away, or asks whether it has; it is to say that it knows.
        case settling
        /// The destination is to say whether it has the machine.
        case verdict
        /// Nothing can come any more.
        case done
    }

    public let direction: Direction
    public private(set) var phase: Phase
    /// Whether pages follow when the machine runs at the destination. The receiver of an end message sets what it says.
    public var isPostCopy: Bool

    public init(_ direction: Direction, isPostCopy: Bool = false) {
        self.init(direction, .hello, isPostCopy: isPostCopy)
    }

    init(_ direction: Direction, _ phase: Phase, isPostCopy: Bool) {
        self.direction = direction
        self.phase = phase
        self.isPostCopy = isPostCopy
    }

    /// What may come after a frame of a type; nil where that may not come.
    public func following(_ type: FrameType) -> StreamState? {
        guard let phase = phase(after: type) else { return nil }
        return StreamState(direction, phase, isPostCopy: isPostCopy)
    }

    /// After the hellos of a link that takes the place of one that was lost in post-copy.
    public var recovering: StreamState { StreamState(direction, .postCopy, isPostCopy: true) }

    /// After the hellos of a link on which the source asks whether the machine runs at the destination.
    public var asking: StreamState {
        let isSource = direction == .main || direction == .extra
        return StreamState(direction, isSource ? .settling : .verdict, isPostCopy: false)
    }

    private func phase(after type: FrameType) -> Phase? {
        switch type {
        case .keepalive: phase == .done ? nil : phase
        case .abort: canAbort ? .done : nil
        default:
            switch direction {
            case .main: mainPhase(after: type)
            case .extra: extraPhase(after: type)
            case .mainReplies: mainReplyPhase(after: type)
            case .extraReplies: extraReplyPhase(after: type)
            }
        }
    }

    /// Until the machine may run at the destination, either side can leave it with the source.
    private var canAbort: Bool {
        switch phase {
        case .postCopy, .settling, .done: false
        default: true
        }
    }

    private func mainPhase(after type: FrameType) -> Phase? {
        switch (phase, type) {
        case (.hello, .hello): .description
        case (.description, .description): .rounds
        case (.rounds, .memory), (.round, .memory): .round
        case (.rounds, .roundEnd), (.round, .roundEnd): .rounds
        case (.rounds, .missing): .rounds
        case (.rounds, .state): .end
        case (.end, .end): .commit
        case (.commit, .commit): isPostCopy ? .postCopy : .settling
        case (.settling, .settled): .done
        case (.postCopy, .memory): .postCopy
        case (.postCopy, .complete): .done
        default: nil
        }
    }

    private func extraPhase(after type: FrameType) -> Phase? {
        switch (phase, type) {
        case (.hello, .hello): .rounds
        case (.rounds, .memory), (.round, .memory): .round
        case (.rounds, .roundEnd), (.round, .roundEnd): .rounds
        case (.rounds, .end): .done
        default: nil
        }
    }

    private func mainReplyPhase(after type: FrameType) -> Phase? {
        switch (phase, type) {
        case (.hello, .hello): .accepted
        case (.accepted, .accepted): .rounds
        case (.rounds, .roundDone): .rounds
        case (.rounds, .ready): .running
        case (.running, .running): isPostCopy ? .postCopy : .done
        case (.postCopy, .pageRequest), (.postCopy, .missing): .postCopy
        case (.postCopy, .received), (.postCopy, .released): .done
        case (.verdict, .verdict): .done
        default: nil
        }
    }

    private func extraReplyPhase(after type: FrameType) -> Phase? {
        switch (phase, type) {
        case (.hello, .hello): .rounds
        case (.rounds, .roundDone): .rounds
        case (.rounds, .received): .done
        default: nil
        }
    }
}

extension StreamState: CustomStringConvertible {
    /// As in "a frame of type memory cannot come before the description".
    public var description: String {
        switch phase {
        case .hello: "before the hello"
        case .description: "before the description"
        case .accepted: "before the description is accepted"
        case .rounds: "between rounds of memory"
        case .round: "within a round of memory"
        case .end: "between the state and the end"
        case .commit: "before the commit"
        case .running: "before the machine runs"
        case .postCopy: "in post-copy"
        case .settling: "after the commit"
        case .verdict: "before the verdict"
        case .done: "after the last frame"
        }
    }
}
