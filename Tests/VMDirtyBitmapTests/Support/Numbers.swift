import Synchronization

/// A list of numbers that many threads change, each by itself without order.
final class Numbers: @unchecked Sendable {
    // SAFETY: all accesses are atomic; allocated until `deinit`.
    private let numbers: UnsafeMutablePointer<Atomic<UInt64>>
    let count: Int

    init(_ count: Int) {
        self.count = count
        numbers = .allocate(capacity: count)
        for index in 0..<count { (numbers + index).initialize(to: Atomic(0)) }
    }

    deinit {
        numbers.deinitialize(count: count)
        numbers.deallocate()
    }

    subscript(index: Int) -> UInt64 {
        get { numbers[index].load(ordering: .relaxed) }
        set { numbers[index].store(newValue, ordering: .relaxed) }
    }

    func add(_ number: UInt64, to index: Int) { numbers[index].add(number, ordering: .relaxed) }

    var all: [UInt64] { (0..<count).map { self[$0] } }
}
