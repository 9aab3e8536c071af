/// The state of one part of a machine at one moment: fields with names, so that whoever reads it knows what it has, and a
/// version, which goes up when the fields change.
public struct StateRecord: Hashable, Sendable {
    /// Which kind of part, such as `vcpu.registers`.
    public let kind: String
    /// Which of several of that kind, from 0.
    public let instance: UInt32
    /// Of the fields.
    public let version: UInt32
    public let fields: [StateField]

    public init(kind: String, instance: UInt32 = 0, version: UInt32, fields: [StateField]) {
        self.kind = kind
        self.instance = instance
        self.version = version
        self.fields = fields
    }
}

/// A part of a machine whose state can be saved and restored: its fields are listed once, for both.
public protocol SavedPart: Sendable {
    /// What its records are called.
    static var kind: String { get }
    /// Of the fields.
    static var version: UInt32 { get }

    /// What a record is read into; every field is then replaced.
    init()

    /// Has an archive take each field, or set it, in a fixed order.
    /// - Throws: what the archive throws; where it restores, also for values that the part cannot have.
    mutating func exchange(with archive: inout StateArchive) throws(StateError)
}

extension SavedPart {
    /// What it has, as a record.
    public func record(_ instance: Int = 0) -> StateRecord {
        var archive = StateArchive()
        var part = self
        // Whatever there is is taken.
        try? part.exchange(with: &archive)
        return StateRecord(
            kind: Self.kind, instance: UInt32(clamping: instance), version: Self.version, fields: archive.fields)
    }

    /// - Throws: `StateError` for a record of another version, and for fields that are not the ones of the part or not as it can
    ///   have them.
    public init(_ record: StateRecord) throws(StateError) {
        guard record.kind == Self.kind else {
            throw StateError(record, .otherKind(expected: Self.kind))
        }
        guard record.version == Self.version else {
            throw StateError(record, .version(known: Self.version))
        }
        self.init()
        var archive = StateArchive(reading: record)
        try exchange(with: &archive)
        try archive.finish()
    }
}
