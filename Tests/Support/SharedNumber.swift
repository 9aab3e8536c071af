import Synchronization

/// A number that threads hand on to each other, all in one order.
public final class SharedNumber: Sendable {
    private let number = Atomic<UInt64>(0)

    public init() {}

    public var value: UInt64 {
        get { number.load(ordering: .sequentiallyConsistent) }
        set { number.store(newValue, ordering: .sequentiallyConsistent) }
    }

    public func add(_ other: UInt64) { number.add(other, ordering: .sequentiallyConsistent) }
}
