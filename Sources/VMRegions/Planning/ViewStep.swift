import VMAddressSpace

/// Which pieces a view loses and gets, both ascending.
struct ViewStep {
    private(set) var removed: [ViewPiece] = []
    private(set) var added: [ViewPiece] = []

    init() {}

    /// - Parameters:
    ///   - old: ascending and disjoint, as `new` is; those that both have are left out.
    init(from old: [ViewPiece], to new: [ViewPiece]) {
        guard !old.isEmpty, !new.isEmpty else {
            (removed, added) = (old, new)
            return
        }
        var (oldIndex, newIndex) = (0, 0)
        while oldIndex < old.count || newIndex < new.count {
            if oldIndex < old.count, newIndex < new.count, old[oldIndex] == new[newIndex] {
                oldIndex += 1
                newIndex += 1
            } else if newIndex == new.count
                || oldIndex < old.count && old[oldIndex].range.start <= new[newIndex].range.start
            {
                removed.append(old[oldIndex])
                oldIndex += 1
            } else {
                added.append(new[newIndex])
                newIndex += 1
            }
        }
    }

    /// Appends a step at higher addresses: of what this one brought, it may take away the last again.
    mutating func append(_ next: ViewStep) {
        guard !removed.isEmpty || !added.isEmpty else {
            self = next
            return
        }
        var rest = next.removed[...]
        if let last = added.last, last == rest.first {
            added.removeLast()
            rest.removeFirst()
        }
        removed += rest
        added += next.added
    }
}
