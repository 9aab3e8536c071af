/// What an `IntervalTree` holds: numbers from `first` through `last`.
protocol TreeInterval {
    var first: UInt64 { get }
    var last: UInt64 { get }
    /// Tells apart those that begin together.
    var order: UInt64 { get }
}

/// Intervals, overlapping or not, by where they begin: finding those that overlap another takes O(log n) and what is
/// found, a change O(log n).
///
/// It is an AVL tree (Knuth, The Art of Computer Programming, volume 3, section 6.2.3) whose nodes know how far their
/// subtrees reach (Cormen et al., Introduction to Algorithms, "Interval trees"). Nodes refer to each other by index.
struct IntervalTree<Element: TreeInterval & Sendable>: Sendable {
    typealias Index = Int32

    struct Node: Sendable {
        var first: UInt64
        var order: UInt64
        var last: UInt64
        /// The greatest `last` in this subtree.
        var reach: UInt64
        var left: Index = 0
        var right: Index = 0
        /// 0 for the empty subtree alone, which is node 0 once there are others.
        var height: Int32 = 1

        init(_ element: Element) {
            first = element.first
            order = element.order
            last = element.last
            reach = element.last
        }

        fileprivate init() {
            (first, order, last, reach, height) = (0, 0, 0, 0, 0)
        }

        func precedes(_ other: Node) -> Bool {
            (first, order) < (other.first, other.order)
        }
    }

    private var nodes: ContiguousArray<Node> = []
    /// By index; that of a freed node stays until it is used again.
    private var elements: ContiguousArray<Element?> = []
    private var root: Index = 0
    /// The first of the nodes that are free to be used again, linked by `left`.
    private var free: Index = 0
    private(set) var count = 0
    /// How many elements are on the longest way down.
    var height: Int { root == 0 ? 0 : Int(nodes[Int(root)].height) }

    /// The element at an index from `insert(_:)`, until it is removed; nil then. Another has to begin, end and order as it
    /// does.
    subscript(index: Index) -> Element? {
        get { elements[Int(index)] }
        set { elements[Int(index)] = newValue }
    }

    /// - Returns: where it is until it is removed.
    @discardableResult
    mutating func insert(_ element: Element) -> Index {
        let index = allocate(element)
        root = nodes.withUnsafeMutableBufferPointer { nodes in
            TreeLinks<Element>(nodes: nodes).inserting(index, into: root)
        }
        count += 1
        return index
    }

    /// Removes the element that begins and orders as `element` does.
    /// - Returns: false where there is none.
    @discardableResult
    mutating func remove(_ element: Element) -> Bool {
        var removed: Index = 0
        root = nodes.withUnsafeMutableBufferPointer { nodes in
            TreeLinks<Element>(nodes: nodes).removing(Node(element), from: root, &removed)
        }
        guard removed != 0 else { return false }
        elements[Int(removed)] = nil
        nodes[Int(removed)].left = free
        free = removed
        count -= 1
        return true
    }

    private mutating func allocate(_ element: Element) -> Index {
        guard free != 0 else {
            if nodes.isEmpty { makeRoom() }
            nodes.append(Node(element))
            elements.append(element)
            return Index(nodes.count - 1)
        }
        let index = free
        free = nodes[Int(index)].left
        nodes[Int(index)] = Node(element)
        elements[Int(index)] = element
        return index
    }

    /// With the first element: most trees of some sorts never get one.
    private mutating func makeRoom() {
        nodes.reserveCapacity(4)
        elements.reserveCapacity(4)
        nodes.append(Node())
        elements.append(nil)
    }

    /// Calls `body` with the elements that overlap `first` through `last`, by where they begin.
    func forEach(overlapping first: UInt64, _ last: UInt64, _ body: (Element) -> Void) {
        nodes.withUnsafeBufferPointer { nodes in
            elements.withUnsafeBufferPointer { elements in
                TreeVisit(nodes: nodes, elements: elements, first: first, last: last).visit(root, body)
            }
        }
    }

    /// All elements, by where they begin.
    var all: [Element] {
        var all: [Element] = []
        all.reserveCapacity(count)
        forEach(overlapping: 0, .max) { all.append($0) }
        return all
    }
}

/// A search for the elements of an `IntervalTree` that overlap `first` through `last`.
private struct TreeVisit<Element: TreeInterval & Sendable> {
    typealias Tree = IntervalTree<Element>

    // SAFETY: it exists within one call of `withUnsafeBufferPointer` for each; indices are only made by the tree.
    let nodes: UnsafeBufferPointer<Tree.Node>
    let elements: UnsafeBufferPointer<Element?>
    let first: UInt64
    let last: UInt64

    func visit(_ index: Tree.Index, _ body: (Element) -> Void) {
        var index = index
        while index != 0, nodes[Int(index)].reach >= first {
            let node = nodes[Int(index)]
            visit(node.left, body)
            guard node.first <= last else { return }
            if node.last >= first, let element = elements[Int(index)] { body(element) }
            index = node.right
        }
    }
}

/// The nodes of an `IntervalTree` while it changes. Each function takes the root of a subtree and returns the root it
/// has afterwards.
private struct TreeLinks<Element: TreeInterval & Sendable> {
    typealias Index = IntervalTree<Element>.Index
    typealias Node = IntervalTree<Element>.Node

    // SAFETY: it exists within one call of `withUnsafeMutableBufferPointer`; indices are only made by the tree.
    let nodes: UnsafeMutableBufferPointer<Node>

    subscript(index: Index) -> Node {
        get { nodes[Int(index)] }
        nonmutating _modify { yield &nodes[Int(index)] }
    }

    func inserting(_ new: Index, into index: Index) -> Index {
        guard index != 0 else { return new }
        if self[new].precedes(self[index]) {
            self[index].left = inserting(new, into: self[index].left)
        } else {
            self[index].right = inserting(new, into: self[index].right)
        }
        return balanced(index)
    }

    func removing(_ target: Node, from index: Index, _ removed: inout Index) -> Index {
        guard index != 0 else { return 0 }
        if target.precedes(self[index]) {
            self[index].left = removing(target, from: self[index].left, &removed)
        } else if self[index].precedes(target) {
            self[index].right = removing(target, from: self[index].right, &removed)
        } else {
            removed = index
            return joined(self[index].left, self[index].right)
        }
        return balanced(index)
    }

    private func joined(_ left: Index, _ right: Index) -> Index {
        guard left != 0 else { return right }
        guard right != 0 else { return left }
        let (first, rest) = detachingFirst(of: right)
        self[first].left = left
        self[first].right = rest
        return balanced(first)
    }

    private func detachingFirst(of index: Index) -> (first: Index, rest: Index) {
        guard self[index].left != 0 else { return (index, self[index].right) }
        let (first, rest) = detachingFirst(of: self[index].left)
        self[index].left = rest
        return (first, balanced(index))
    }

    private func balanced(_ index: Index) -> Index {
        switch lean(index) {
        case 2...:
            if lean(self[index].left) < 0 { self[index].left = rotatedLeft(self[index].left) }
            return rotatedRight(index)
        case ...(-2):
            if lean(self[index].right) > 0 { self[index].right = rotatedRight(self[index].right) }
            return rotatedLeft(index)
        default:
            summarize(index)
            return index
        }
    }

    /// By how much the left side is higher.
    private func lean(_ index: Index) -> Int32 {
        self[self[index].left].height - self[self[index].right].height
    }

    private func rotatedRight(_ index: Index) -> Index {
        let top = self[index].left
        self[index].left = self[top].right
        self[top].right = index
        summarize(index)
        summarize(top)
        return top
    }

    private func rotatedLeft(_ index: Index) -> Index {
        let top = self[index].right
        self[index].right = self[top].left
        self[top].left = index
        summarize(index)
        summarize(top)
        return top
    }

    private func summarize(_ index: Index) {
        let (left, right) = (self[self[index].left], self[self[index].right])
        self[index].height = max(left.height, right.height) + 1
        self[index].reach = max(self[index].last, left.reach, right.reach)
    }
}
