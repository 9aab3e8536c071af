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

    func backed(_ range: MemoryRange, _ memory: PieceMemory) -> BackedPiece? {
        self[memory.backing].map { BackedPiece(range: range, memory: memory, backing: $0) }
    }

    /// Those of a view's pieces that have memory.
    func backed(_ pieces: [ViewPiece]) -> [BackedPiece] {
        var backed: [BackedPiece] = []
        backed.reserveCapacity(pieces.count)
        for piece in pieces {
            if let memory = piece.memory, let piece = self.backed(piece.range, memory) { backed.append(piece) }
        }
        return backed
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
            case .add(let id, let definition):
                numbered.append(try number(definition, id, in: host, &planner))
            case .addMapping(let id, var mapping, let backing):
                mapping.backing = try number(of: backing, in: host, &planner)
                numbered.append(.addMapping(id, mapping))
            }
        }
        return numbered
    }

    /// What adds a region, as a planner knows it.
    /// - Throws: `backingInUseElsewhere`.
    mutating func number(
        _ definition: RegionDefinition, _ id: RegionID, in host: GuestReservation, _ planner: inout RegionPlanner
    ) throws(RegionManagerError) -> RegionChange {
        var mappings: [RegionMapping] = []
        mappings.reserveCapacity(definition.memory.count)
        for part in definition.memory {
            mappings.append(part.mapping(of: try number(of: part.backing, in: host, &planner)))
        }
        return .add(
            id, name: definition.name, range: definition.range, priority: definition.priority, mappings: mappings,
            parameters: definition.parameters)
    }

    private mutating func number(
        of backing: RegionBacking, in host: GuestReservation, _ planner: inout RegionPlanner
    ) throws(RegionManagerError) -> BackingID {
        let place = place(of: backing)
        if place < numbers.count, numbers[place].backing == ObjectIdentifier(backing) { return numbers[place].number }
        guard backing.claim(by: host) else { throw .backingInUseElsewhere(backing.name) }
        let number = planner.addBacking(backing.description)
        add(backing, number, at: place)
        return number
    }

    /// Adds one that the manager's reservation has claimed, and its planner has got.
    /// - Parameter number: the highest so far.
    mutating func add(_ backing: RegionBacking, _ number: BackingID) {
        add(backing, number, at: place(of: backing))
    }

    private mutating func add(_ backing: RegionBacking, _ number: BackingID, at place: Int) {
        numbers.insert((ObjectIdentifier(backing), number), at: place)
        entries.append(Entry(number: number, backing: backing))
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
