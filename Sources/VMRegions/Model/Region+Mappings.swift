/// Changing which memory a region has. Mappings stay ascending and disjoint, and those that go on in each other are one.
extension Region {
    /// Takes away the mappings after an offset.
    mutating func cutMappings(after last: UInt64) {
        guard let end = mappings.last?.last, end > last else { return }
        replaceMappings(from: last + 1, through: end, with: nil)
    }

    /// Puts a mapping, or nothing, in the place of what lies in a range of offsets. Neighbours that go on in each other
    /// become one.
    mutating func replaceMappings(from first: UInt64, through last: UInt64, with mapping: RegionMapping?) {
        guard !mappings.isEmpty else {
            if let mapping { mappings = [mapping] }
            return
        }
        var start = firstMapping(endingAtOrAfter: first)
        var end = start
        while end < mappings.count, mappings[end].offset <= last { end += 1 }
        var changed: [RegionMapping] = []
        if start < end, mappings[start].offset < first {
            changed.append(mappings[start].part(from: mappings[start].offset, through: first - 1))
        }
        if let mapping { changed.append(mapping) }
        if start < end, mappings[end - 1].last > last {
            changed.append(mappings[end - 1].part(from: last + 1, through: mappings[end - 1].last))
        }
        if start > 0 {
            start -= 1
            changed.insert(mappings[start], at: 0)
        }
        if end < mappings.count {
            changed.append(mappings[end])
            end += 1
        }
        mappings.replaceSubrange(start..<end, with: changed.joined())
    }
}

extension [RegionMapping] {
    fileprivate func joined() -> [RegionMapping] {
        reduce(into: []) { joined, mapping in
            if let last = joined.last, last.continues(in: mapping) {
                joined[joined.count - 1].count += mapping.count
            } else {
                joined.append(mapping)
            }
        }
    }
}

extension RegionMapping {
    /// Whether the two are one mapping.
    fileprivate func continues(in next: RegionMapping) -> Bool {
        backing == next.backing && isWritable == next.isWritable && last &+ 1 == next.offset
            && backingOffset + count == next.backingOffset
    }
}
