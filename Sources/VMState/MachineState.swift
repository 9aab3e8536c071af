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
        var found: StateRecord?
        let kind = Part.kind
        // Few kinds are of the same length, which takes less to compare.
        let length = kind.utf8.count
        for record in records
        where record.instance == instance && record.kind.utf8.count == length && record.kind == kind {
            guard found == nil else { throw StateError(record, .count(2)) }
            found = record
        }
        guard let found else { return nil }
        return try Part(found)
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
