/// How often each page is locked: a step function over page numbers, zero nearly everywhere.
///
/// It is kept as the pages at which the count changes, in an AVL tree whose nodes know the sum of the changes beneath
/// them and the lowest and highest running sum. So a range costs two changes however long it is, and all operations are
/// O(log n) in the number of changes in force, whatever order a guest makes them come in. Freed nodes are used again:
/// once the tree has had its largest size, nothing is allocated.
struct LockCounts: ~Copyable {
    typealias Index = Int32

    struct Node {
        var page: UInt64
        var change: Int
        var left: Index = 0
        var right: Index = 0
        var height: Int32 = 1
        /// Of the changes in this subtree.
        var sum: Int
        /// Of the running sums through this subtree, with the one before its first change, zero. (That is the count of
        /// the page before that change, so a range that holds the page has the same lowest with it.)
        var lowest: Int
        var highest: Int

        init(page: UInt64, change: Int) {
            self.page = page
            self.change = change
            self.sum = change
            self.lowest = min(0, change)
            self.highest = max(0, change)
        }

        /// The empty subtree, at index 0.
        static var none: Node {
            var node = Node(page: 0, change: 0)
            node.height = 0
            return node
        }
    }

    // SAFETY: only `allocate(_:)` makes indices, all below `used`, and nothing else ever stands in a link or in `root`.
    /// By index; the first is the empty subtree. Not an array: its checks cost as much as the work between them.
    private(set) var nodes: UnsafeMutablePointer<Node>
    private var capacity = 8
    /// How many of the nodes have ever been in use.
    private(set) var used = 1
    var root: Index = 0
    /// The first of the nodes that are free to be used again, linked by `left`.
    private var free: Index = 0

    init() {
        nodes = .allocate(capacity: capacity)
        nodes.initialize(to: .none)
    }

    deinit {
        // `Node` is trivial.
        nodes.deallocate()
    }

    mutating func allocate(_ node: Node) -> Index {
        if free != 0 {
            let index = free
            free = nodes[Int(index)].left
            nodes[Int(index)] = node
            return index
        }
        if used == capacity {
            let larger = UnsafeMutablePointer<Node>.allocate(capacity: 2 * capacity)
            larger.moveInitialize(from: nodes, count: used)
            nodes.deallocate()
            nodes = larger
            capacity *= 2
        }
        (nodes + used).initialize(to: node)
        used += 1
        return Index(used - 1)
    }

    mutating func deallocate(_ index: Index) {
        nodes[Int(index)].left = free
        free = index
    }

    /// Whether no page is locked.
    var isEmpty: Bool { root == 0 }

    /// Adds to the count of each page in a non-empty range. The counts must stay at zero or above: see `lowest(in:)`.
    mutating func add(_ difference: Int, to pages: Range<UInt64>) {
        root = adding(difference, at: pages.lowerBound, to: root)
        root = adding(-difference, at: pages.upperBound, to: root)
    }

    /// The lowest count in a non-empty range.
    func lowest(in pages: Range<UInt64>) -> Int {
        lowest(root, before: 0, after: pages.lowerBound, until: pages.upperBound)
    }

    /// The first run of pages in a non-empty range that are locked, or that are not.
    func firstRun(locked: Bool, in pages: Range<UInt64>) -> Range<UInt64>? {
        let startsSo = (lowest(in: pages.lowerBound..<pages.lowerBound + 1) > 0) == locked
        guard
            let start = startsSo
                ? pages.lowerBound : firstChange(root, before: 0, after: pages.lowerBound, toLocked: locked),
            start < pages.upperBound
        else { return nil }
        let end = firstChange(root, before: 0, after: start, toLocked: !locked) ?? .max
        return start..<min(end, pages.upperBound)
    }

    /// - Parameters:
    ///   - before: the count before the first change in the subtree.
    ///   - after: only the changes after this page count, nil where all do.
    ///   - until: only the changes before this page count, nil where all do.
    private func lowest(_ index: Index, before: Int, after: UInt64?, until: UInt64?) -> Int {
        guard index != 0 else { return before }
        let node = nodes[Int(index)]
        if after == nil, until == nil { return before + node.lowest }
        if let until, node.page >= until { return lowest(node.left, before: before, after: after, until: until) }
        let here = before + nodes[Int(node.left)].sum + node.change
        if let after, node.page <= after { return lowest(node.right, before: here, after: after, until: until) }
        return min(
            lowest(node.left, before: before, after: after, until: nil),
            lowest(node.right, before: here, after: nil, until: until))
    }

    /// The first page after `after` at which pages begin to be locked, or cease to be.
    private func firstChange(_ index: Index, before: Int, after: UInt64, toLocked: Bool) -> UInt64? {
        guard index != 0 else { return nil }
        let node = nodes[Int(index)]
        guard toLocked ? before + node.highest > 0 : before + node.lowest <= 0 else { return nil }
        let here = before + nodes[Int(node.left)].sum + node.change
        if node.page > after {
            if let found = firstChange(node.left, before: before, after: after, toLocked: toLocked) { return found }
            if (here > 0) == toLocked { return node.page }
        }
        return firstChange(node.right, before: here, after: after, toLocked: toLocked)
    }
}
