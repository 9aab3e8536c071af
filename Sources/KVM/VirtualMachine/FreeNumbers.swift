/// Numbers that are given out the lowest first: a binary heap.
struct FreeNumbers: Sendable {
    /// No number is above those at twice its index plus 1 and plus 2.
    private var heap: [Int] = []

    /// - Parameter number: none that is in it already.
    mutating func insert(_ number: Int) {
        heap.append(number)
        var index = heap.count - 1
        while index > 0, heap[index] < heap[(index - 1) / 2] {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Takes the lowest number out; nil where there is none.
    mutating func takeLowest() -> Int? {
        guard let lowest = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return lowest }
        heap[0] = last
        var index = 0
        while let child = lowerChild(of: index), heap[child] < heap[index] {
            heap.swapAt(index, child)
            index = child
        }
        return lowest
    }

    private func lowerChild(of index: Int) -> Int? {
        let left = 2 * index + 1
        guard left < heap.count else { return nil }
        return left + 1 < heap.count && heap[left + 1] < heap[left] ? left + 1 : left
    }
}
