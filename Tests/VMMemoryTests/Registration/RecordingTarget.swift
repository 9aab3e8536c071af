import VMAddressSpace
import VMHost

@testable import VMMemory

/// Keeps a list of the calls it gets, refuses those it is told to, and holds every call to the protocol's promises.
final class RecordingTarget: MemoryRegistration {
    struct Event: Hashable, Sendable {
        enum Call: Hashable, Sendable { case register, unregister }

        let call: Call
        let range: MemoryRange
        var isRefused = false

        static func register(_ range: MemoryRange) -> Event { Event(call: .register, range: range) }
        static func unregister(_ range: MemoryRange) -> Event { Event(call: .unregister, range: range) }
        var refused: Event { Event(call: call, range: range, isRefused: true) }
    }

    /// A call refused.
    struct Refusal: Error, Hashable {
        let call: Event.Call
    }

    private struct State {
        var events: [Event] = []
        var held: [MemoryRange] = []
        var violations: [String] = []
        var refuses: @Sendable (Event) -> Bool
    }

    let canSplit: Bool
    private let state: Monitor<State>

    init(canSplit: Bool = true, refusing refuses: @escaping @Sendable (Event) -> Bool = { _ in false }) {
        self.canSplit = canSplit
        state = Monitor(State(refuses: refuses))
    }

    /// The ranges registered now, ascending, each as one call made it or left it.
    var held: [MemoryRange] { state.withLock { $0.held.sorted() } }
    /// The calls that break a promise.
    var violations: [String] { state.withLock { $0.violations } }

    /// Whether one registration covers all of `range`.
    func holds(_ range: MemoryRange) -> Bool {
        state.withLock { $0.held.contains { $0.contains(range) } }
    }

    /// From now on.
    func refuse(_ refuses: @escaping @Sendable (Event) -> Bool) {
        state.withLock { $0.refuses = refuses }
    }

    /// The calls since this was last asked for, in order.
    func takeEvents() -> [Event] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    func register(_ range: MemoryRange) throws(Refusal) {
        try state.withLock { state throws(Refusal) in
            if let other = state.held.first(where: { $0.overlaps(range) }) {
                state.violations.append("\(range) registered over \(other)")
            }
            try Self.admit(.register(range), &state)
            state.held.append(range)
        }
    }

    func unregister(_ range: MemoryRange) throws(Refusal) {
        try state.withLock { state throws(Refusal) in
            guard let index = state.held.firstIndex(where: { $0.contains(range) }) else {
                return state.violations.append("\(range) unregistered, which no one call registered")
            }
            let whole = state.held[index]
            if !canSplit, whole != range { state.violations.append("\(range) split off \(whole)") }
            try Self.admit(.unregister(range), &state)
            state.held.remove(at: index)
            let below = range.start.rawValue - whole.start.rawValue
            if below > 0 { state.held.append(ramRange(whole.start.rawValue, below)) }
            let above = whole.last.rawValue - range.last.rawValue
            if above > 0 { state.held.append(ramRange(range.last.rawValue + 1, above)) }
        }
    }

    private static func admit(_ event: Event, _ state: inout State) throws(Refusal) {
        guard state.refuses(event) else { return state.events.append(event) }
        state.events.append(event.refused)
        throw Refusal(call: event.call)
    }
}

/// `count` bytes of memory at `start`, both whole pages.
func ramRange(_ start: UInt64, _ count: UInt64) -> MemoryRange {
    do {
        return try MemoryRange(start: GuestAddress(start), count: count)
    } catch {
        fatalError("a test's own range is wrong: \(error)")
    }
}
