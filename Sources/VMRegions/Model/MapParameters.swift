/// How a region is mapped where it is in force.
public struct MapParameters: Hashable, Sendable, Codable {
    /// Whether the guest may write. A page can be written where its mapping allows it as well.
    public var isWritable: Bool
    /// Whether the guest may execute. KVM has no way to forbid it.
    public var isExecutable: Bool
    /// Whether the pages are provided when they are mapped instead of at the first touch; those of a region that is mapped
    /// already, when it is mapped with this for the first time. The request returns when they are; the guest runs meanwhile.
    public var prefetch: Bool

    public init(isWritable: Bool = true, isExecutable: Bool = true, prefetch: Bool = false) {
        self.isWritable = isWritable
        self.isExecutable = isExecutable
        self.prefetch = prefetch
    }

    private enum CodingKeys: String, CodingKey {
        case isWritable = "writable"
        case isExecutable = "executable"
        case prefetch
    }
}
