import VMState

/// How much memory was sent.
public struct PageCounts: Hashable, Sendable {
    /// Pages sent with their bytes.
    public var data: UInt64
    /// Pages sent as being zero; QEMU calls them duplicate.
    public var zero: UInt64
    /// All that was sent for them, headers as well.
    public var bytes: UInt64

    public init(data: UInt64 = 0, zero: UInt64 = 0, bytes: UInt64 = 0) {
        self.data = data
        self.zero = zero
        self.bytes = bytes
    }

    public static func - (counts: PageCounts, earlier: PageCounts) -> PageCounts {
        PageCounts(
            data: counts.data &- earlier.data, zero: counts.zero &- earlier.zero,
            bytes: counts.bytes &- earlier.bytes)
    }

    /// As fields of a message.
    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("data pages", &data)
        try archive.number("zero pages", &zero)
        try archive.number("bytes", &bytes)
    }
}
