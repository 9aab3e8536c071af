import Synchronization

/// Numbers that threads of a race test tell each other.
final class AccessSignal: Sendable {
    let isOver = Atomic<Bool>(false)
    /// Odd while something holds that the test relies on.
    let epoch = Atomic<Int>(0)

    var isRunning: Bool { !isOver.load(ordering: .acquiring) }

    func end() {
        isOver.store(true, ordering: .releasing)
    }
}
