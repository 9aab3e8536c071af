import VMAddressSpace

/// What a manager's regions have memory of, under the planner's numbers.
struct NumberedBackings {
    private struct Entry {
        let number: BackingID
        let backing: RegionBacking
    }

    /// By number.
    private var entries: [Entry] = []
    /// By the address of the object.
    private var numbers: [(backing: ObjectIdentifier, number: BackingID)] = []

    /// By number.
    var all: [RegionBacking] { entries.map(\.backing) }

    subscript(number: BackingID) -> RegionBacking? {
        index(of: number).map { entries[$0].backing }
    }

    private func index(of number: BackingID) -> Int? {
        let index = entries.partitioningIndex { $0.number >= number }
        return index < entries.count && entries[index].number == number ? index : nil
    }

    /// Where among the numbers that of a backing is, or would be.
    private func place(of backing: RegionBacking) -> Int {
        numbers.partitioningIndex { $0.backing >= ObjectIdentifier(backing) }
    }

    /// The changes as a planner knows them: it has a number for each backing, which gets it with its first mapping.
    /// - Throws: `backingInUseElsewhere`.
    mutating func number(
        _ changes: [RegionUpdate.Change], in host: GuestReservation, _ planner: inout RegionPlanner
    ) throws(RegionManagerError) -> [RegionChange] {
        var numbered: [RegionChange] = []
        numbered.reserveCapacity(changes.count)
        for change in changes {
            switch change {
            case .plain(let change):
                numbered.append(change)
            case .addMapping(let id, var mapping, let backing):
                mapping.backing = try number(of: backing, in: host, &planner)
                numbered.append(.addMapping(id, mapping))
            }
        }
        return numbered
    }

    private mutating func number(
        of backing: RegionBacking, in host: GuestReservation, _ planner: inout RegionPlanner
    ) throws(RegionManagerError) -> BackingID {
        let place = place(of: backing)
        if place < numbers.count, numbers[place].backing == ObjectIdentifier(backing) { return numbers[place].number }
        guard backing.claim(by: host) else { throw .backingInUseElsewhere(backing.name) }
        let number = planner.addBacking(backing.description)
        numbers.insert((ObjectIdentifier(backing), number), at: place)
        entries.append(Entry(number: number, backing: backing))
        return number
    }

    /// Lets go of those that no region has memory of.
    mutating func forgetUnused(_ planner: inout RegionPlanner) {
        for number in planner.unusedBackings {
            guard (try? planner.removeBacking(number)) != nil, let index = index(of: number) else { continue }
            let backing = entries.remove(at: index).backing
            numbers.remove(at: place(of: backing))
            backing.disclaim()
        }
    }
}
