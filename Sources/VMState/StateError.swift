/// Why a record cannot be restored.
public struct StateError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case otherKind(expected: String)
        /// It is of another version than the one that is known.
        case version(known: UInt32)
        case missingField(String)
        case unknownField(String)
        case otherField(String, expected: String)
        /// A field cannot have that value.
        case value(field: String, String)
        /// There is none, or more than one.
        case count(Int)
    }

    /// Of the record; nil where there is none.
    public let kind: String?
    public let instance: UInt32
    public let version: UInt32
    public let reason: Reason

    public init(_ record: StateRecord?, _ reason: Reason) {
        kind = record?.kind
        instance = record?.instance ?? 0
        version = record?.version ?? 0
        self.reason = reason
    }

    init(kind: String, instance: Int, _ reason: Reason) {
        self.kind = kind
        self.instance = UInt32(clamping: instance)
        version = 0
        self.reason = reason
    }

    public var description: String {
        let record = "the state record \(kind ?? "of a part") \(instance)"
        switch reason {
        case .otherKind(let expected): return "\(record) is not of the kind \(expected)"
        case .version(let known):
            return
                "\(record) has version \(version), and this program knows version \(known); use the same program on both "
                + "sides"
        case .missingField(let name): return "\(record) lacks the field \"\(name)\""
        case .unknownField(let name): return "\(record) has a field \"\(name)\" that is not known"
        case .otherField(let name, let expected):
            return "\(record) has the field \"\(name)\" where \"\(expected)\" belongs"
        case .value(let field, let why): return "\(record): the field \"\(field)\" \(why)"
        case .count(let count):
            return count == 0 ? "there is no \(record.dropFirst(4))" : "\(record) is there \(count) times"
        }
    }
}
