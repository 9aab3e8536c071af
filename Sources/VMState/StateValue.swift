/// What a field of a record holds.
public enum StateValue: Hashable, Sendable {
    case number(UInt64)
    case numbers([UInt64])
    /// In a layout that the processor or the kernel defines.
    case bytes([UInt8])
    case text(String)
}

/// A field of a record.
public struct StateField: Hashable, Sendable {
    public let name: String
    public let value: StateValue

    public init(_ name: String, _ value: StateValue) {
        self.name = name
        self.value = value
    }
}
