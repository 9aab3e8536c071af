import Testing

@testable import VMMigration

@Suite("The order of frames")
struct StreamStateTests {
    static let allStates: [StreamState] = StreamState.Direction.allCases.flatMap { direction in
        StreamState.Phase.allCases.flatMap { phase in
            [false, true].map { StreamState(direction, phase, isPostCopy: $0) }
        }
    }

    private struct Step: Hashable {
        let direction: StreamState.Direction
        let phase: StreamState.Phase
        let type: FrameType
    }

    /// All that may come, but keepalive and abort, and where it leads.
    private static func steps(isPostCopy: Bool) -> [Step: StreamState.Phase] {
        typealias Row = (StreamState.Phase, FrameType, StreamState.Phase)
        let main: [Row] = [
            (.hello, .hello, .description), (.description, .description, .rounds),
            (.rounds, .memory, .round), (.round, .memory, .round),
            (.rounds, .roundEnd, .rounds), (.round, .roundEnd, .rounds),
            (.rounds, .missing, .rounds), (.rounds, .state, .end), (.end, .end, .commit),
            (.commit, .commit, isPostCopy ? .postCopy : .settling), (.settling, .settled, .done),
            (.postCopy, .memory, .postCopy), (.postCopy, .complete, .done),
        ]
        let extra: [Row] = [
            (.hello, .hello, .rounds), (.rounds, .memory, .round), (.round, .memory, .round),
            (.rounds, .roundEnd, .rounds), (.round, .roundEnd, .rounds), (.rounds, .end, .done),
        ]
        let mainReplies: [Row] = [
            (.hello, .hello, .accepted), (.accepted, .accepted, .rounds), (.rounds, .roundDone, .rounds),
            (.rounds, .ready, .running), (.running, .running, isPostCopy ? .postCopy : .done),
            (.postCopy, .pageRequest, .postCopy), (.postCopy, .missing, .postCopy), (.postCopy, .received, .done),
            (.postCopy, .released, .done), (.verdict, .verdict, .done),
        ]
        let extraReplies: [Row] = [
            (.hello, .hello, .rounds), (.rounds, .roundDone, .rounds), (.rounds, .received, .done),
        ]
        var steps: [Step: StreamState.Phase] = [:]
        let tables: [(StreamState.Direction, [Row])] = [
            (.main, main), (.extra, extra), (.mainReplies, mainReplies), (.extraReplies, extraReplies),
        ]
        for (direction, rows) in tables {
            for (phase, type, next) in rows { steps[Step(direction: direction, phase: phase, type: type)] = next }
        }
        return steps
    }

    @Test("In every state, every frame leads where it is to, or is refused", arguments: allStates)
    func exhaustive(_ state: StreamState) {
        let steps = Self.steps(isPostCopy: state.isPostCopy)
        for type in FrameType.allCases {
            let expected: StreamState.Phase? =
                switch (type, state.phase) {
                case (.keepalive, .done): nil
                case (.keepalive, let phase): phase
                case (.abort, .postCopy), (.abort, .settling), (.abort, .done): nil
                case (.abort, _): .done
                default: steps[Step(direction: state.direction, phase: state.phase, type: type)]
                }
            let following = state.following(type)
            #expect(following?.phase == expected, "\(state.direction), \(state.phase): \(type)")
            #expect(following == nil || following?.direction == state.direction)
            #expect(following == nil || following?.isPostCopy == state.isPostCopy)
        }
    }

    @Test("Each direction starts with a hello", arguments: StreamState.Direction.allCases)
    func start(_ direction: StreamState.Direction) {
        let state = StreamState(direction)
        let first = FrameType.allCases.filter { state.following($0) != nil }
        #expect(Set(first) == [.hello, .keepalive, .abort])
    }
}
