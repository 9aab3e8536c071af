import Synchronization

/// A count that several threads increase.
final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .acquiring) }

    func increment() {
        count.wrappingAdd(1, ordering: .acquiringAndReleasing)
    }
}
