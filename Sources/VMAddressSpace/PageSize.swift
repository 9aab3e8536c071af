/// The size of a page of memory on x86-64.
public enum PageSize: UInt64, Hashable, Sendable, CaseIterable {
    case size4K = 0x1000
    case size2M = 0x20_0000
    case size1G = 0x4000_0000

    /// In bytes.
    public var bytes: UInt64 { rawValue }
}
