/// The tree itself: an AVL tree (Knuth, The Art of Computer Programming, volume 3, 6.2.3) whose nodes refer to each
/// other by index. Each function takes the root of a subtree and returns the root it has afterwards.
extension LockCounts {
    mutating func adding(_ change: Int, at page: UInt64, to index: Index) -> Index {
        guard index != 0 else { return allocate(Node(page: page, change: change)) }
        let node = nodes[Int(index)]
        // First the change, then the link: the nodes can move meanwhile.
        if page < node.page {
            let left = adding(change, at: page, to: node.left)
            nodes[Int(index)].left = left
        } else if page > node.page {
            let right = adding(change, at: page, to: node.right)
            nodes[Int(index)].right = right
        } else if node.change == -change {
            return removing(index)
        } else {
            nodes[Int(index)].change += change
        }
        return balanced(index)
    }

    private mutating func removing(_ index: Index) -> Index {
        let node = nodes[Int(index)]
        deallocate(index)
        guard node.left != 0 else { return node.right }
        guard node.right != 0 else { return node.left }
        let (first, rest) = detachingFirst(node.right)
        nodes[Int(first)].left = node.left
        nodes[Int(first)].right = rest
        return balanced(first)
    }

    private mutating func detachingFirst(_ index: Index) -> (first: Index, rest: Index) {
        let node = nodes[Int(index)]
        guard node.left != 0 else { return (index, node.right) }
        let (first, rest) = detachingFirst(node.left)
        nodes[Int(index)].left = rest
        return (first, balanced(index))
    }

    private mutating func balanced(_ index: Index) -> Index {
        let node = nodes[Int(index)]
        switch lean(node) {
        case 2...:
            if lean(nodes[Int(node.left)]) < 0 { nodes[Int(index)].left = rotatedLeft(node.left) }
            return rotatedRight(index)
        case ...(-2):
            if lean(nodes[Int(node.right)]) > 0 { nodes[Int(index)].right = rotatedRight(node.right) }
            return rotatedLeft(index)
        default:
            summarize(index)
            return index
        }
    }

    /// By how much the left side is higher.
    private func lean(_ node: Node) -> Int32 {
        nodes[Int(node.left)].height - nodes[Int(node.right)].height
    }

    private mutating func rotatedRight(_ index: Index) -> Index {
        let top = nodes[Int(index)].left
        nodes[Int(index)].left = nodes[Int(top)].right
        nodes[Int(top)].right = index
        summarize(index)
        summarize(top)
        return top
    }

    private mutating func rotatedLeft(_ index: Index) -> Index {
        let top = nodes[Int(index)].right
        nodes[Int(index)].right = nodes[Int(top)].left
        nodes[Int(top)].left = index
        summarize(index)
        summarize(top)
        return top
    }

    /// Recomputes what a node knows of its subtree from its two sides.
    private mutating func summarize(_ index: Index) {
        var node = nodes[Int(index)]
        let left = nodes[Int(node.left)]
        let right = nodes[Int(node.right)]
        let here = left.sum + node.change
        node.height = max(left.height, right.height) + 1
        node.sum = here + right.sum
        node.lowest = min(left.lowest, here + right.lowest)
        node.highest = max(left.highest, here + right.highest)
        nodes[Int(index)] = node
    }
}
