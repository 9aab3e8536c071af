/// The state of a machine, or of a part of it, as records.
public struct MachineState: Hashable, Sendable {
    public private(set) var records: [StateRecord]

    public init(_ records: [StateRecord] = []) {
        self.records = records
    }

    public mutating func append(_ part: some SavedPart, _ instance: Int = 0) {
        records.append(part.record(instance))
    }

    /// - Throws: `StateError`, also where there is none, or more than one.
    public func part<Part: SavedPart>(
        _ type: Part.Type = Part.self, _ instance: Int = 0
    ) throws(StateError) -> Part {
        guard let part = try partIfPresent(type, instance) else {
            throw StateError(kind: Part.kind, instance: instance, .count(0))
        }
        return part
    }

    /// Nil where there is none.
    public func partIfPresent<Part: SavedPart>(
        _ type: Part.Type = Part.self, _ instance: Int = 0
    ) throws(StateError) -> Part? {
        guard let index = try index(of: Part.kind, instance) else { return nil }
        return try Part(records[index])
    }

    private func index(of kind: String, _ instance: Int) throws(StateError) -> Int? {
        var found: Int?
        // Few kinds are of the same length, which takes less to compare.
        let length = kind.utf8.count
        for index in records.indices
        where records[index].instance == instance && records[index].kind.utf8.count == length
            && records[index].kind == kind
        {
            guard found == nil else { throw StateError(records[index], .count(2)) }
            found = index
        }
        return found
    }

    /// All of a kind, which are numbered from 0 on.
    public func parts<Part: SavedPart>(_ type: Part.Type = Part.self) throws(StateError) -> [Part] {
        let count = records.count { $0.kind == Part.kind }
        var parts: [Part] = []
        parts.reserveCapacity(count)
        for instance in 0..<count { parts.append(try part(type, instance)) }
        return parts
    }
}
