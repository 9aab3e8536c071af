import Glibc
import Synchronization
import VMHost

/// Which maps of a test live. It outlives them, so that it can be asked about one that may be gone.
final class CanaryCage: @unchecked Sendable {
    // SAFETY: the states are atomics that only `deinit` frees, when no map refers to this object any more.
    private let states: UnsafeMutablePointer<Atomic<UInt8>>
    private let capacity: Int
    private let madeCount = Atomic<Int>(0)
    private let freedCount = Atomic<Int>(0)

    init(capacity: Int = 1 << 20) {
        self.capacity = capacity
        states = .allocate(capacity: capacity)
        for index in 0..<capacity { (states + index).initialize(to: Atomic(0)) }
    }

    deinit {
        states.deinitialize(count: capacity).deallocate()
    }

    var livingCount: Int { madeCount.load(ordering: .acquiring) - freedCount.load(ordering: .acquiring) }
    var isFull: Bool { madeCount.load(ordering: .relaxed) > capacity - 64 }

    func isAlive(_ number: Int) -> Bool {
        states[number % capacity].load(ordering: .acquiring) == 1
    }

    func makeMap(content: Int = 0, onEnd: (@Sendable () -> Void)? = nil) -> CanaryMap {
        let number = madeCount.wrappingAdd(1, ordering: .relaxed).oldValue
        states[number % capacity].store(1, ordering: .releasing)
        return CanaryMap(self, number, content, onEnd)
    }

    fileprivate func free(_ number: Int) {
        states[number % capacity].store(2, ordering: .releasing)
        freedCount.wrappingAdd(1, ordering: .releasing)
    }

    /// Waits until so many live, for 20 seconds at most: another thread may be about to free one.
    func settles(at count: Int) -> Bool {
        eventually { livingCount == count }
    }
}

/// A map whose end shows.
final class CanaryMap: Sendable {
    let number: Int
    let content: Int
    private let cage: CanaryCage
    private let onEnd: (@Sendable () -> Void)?

    fileprivate init(_ cage: CanaryCage, _ number: Int, _ content: Int, _ onEnd: (@Sendable () -> Void)?) {
        self.cage = cage
        self.number = number
        self.content = content
        self.onEnd = onEnd
    }

    deinit {
        cage.free(number)
        onEnd?()
    }

    func makeNext() -> CanaryMap { cage.makeMap(content: content + 1) }
}

/// Waits until `condition` holds, for 20 seconds at most.
/// - Returns: whether it does.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = MonotonicTime.now.advanced(by: .seconds(20))
    while !condition() {
        guard MonotonicTime.now < deadline else { return condition() }
        usleep(100)
    }
    return true
}

/// Whether `condition` holds all the time.
func staysFor(milliseconds: Int, _ condition: () -> Bool) -> Bool {
    let end = MonotonicTime.now.advanced(by: .milliseconds(milliseconds))
    while MonotonicTime.now < end {
        guard condition() else { return false }
        usleep(500)
    }
    return true
}
