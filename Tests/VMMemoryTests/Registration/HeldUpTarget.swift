import Synchronization
import VMAddressSpace
import VMMemory

/// Holds every call up until it is opened, which it also is once so many calls are under way at once.
final class HeldUpTarget: MemoryRegistration {
    struct Refusal: Error, Hashable {}

    let canSplit = true
    private let inside = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)
    private let gate = Atomic<Bool>(false)
    private let refusals: Atomic<Int>
    private let opensAt: Int

    /// - Parameters:
    ///   - opensAt: how many calls under way at once open it.
    ///   - refusals: how many calls to refuse before all others are taken.
    init(opensAt: Int = .max, refusals: Int = 0) {
        self.opensAt = opensAt
        self.refusals = Atomic(refusals)
    }

    /// The calls so far.
    var callCount: Int { calls.load(ordering: .relaxed) }
    /// The calls under way.
    var activeCallCount: Int { inside.load(ordering: .acquiring) }

    var isOpen: Bool {
        get { gate.load(ordering: .acquiring) }
        set { gate.store(newValue, ordering: .releasing) }
    }

    /// Waits until a call is under way.
    func awaitCall() -> Bool {
        RegistrarThreads.wait { activeCallCount > 0 }
    }

    func register(_ range: MemoryRange) throws(Refusal) {
        try holdUp()
    }

    func unregister(_ range: MemoryRange) throws(Refusal) {
        try holdUp()
    }

    private func holdUp() throws(Refusal) {
        calls.wrappingAdd(1, ordering: .relaxed)
        if inside.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == opensAt { isOpen = true }
        _ = RegistrarThreads.wait { isOpen }
        inside.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        if refusals.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 { throw Refusal() }
    }
}
