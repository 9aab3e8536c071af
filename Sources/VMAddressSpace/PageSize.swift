/// The size of a page of memory on x86-64. Ordered from the smallest to the largest.
@frozen
public enum PageSize: UInt64, Hashable, Sendable, CaseIterable {
    case size4K = 0x1000
    case size2M = 0x20_0000
    case size1G = 0x4000_0000

    /// In bytes.
    @inlinable
    public var bytes: UInt64 { rawValue }

    /// The base-2 logarithm of `bytes`: what turns an address into the number of its page.
    @inlinable
    public var shift: UInt64 {
        switch self {
        case .size4K: 12
        case .size2M: 21
        case .size1G: 30
        }
    }

    /// The bits of an address that say where in its page it is.
    @inlinable
    public var mask: UInt64 { rawValue - 1 }

    /// The largest size that divides `number`, an address, a length or an alignment in bytes; nil where 4 KiB do not.
    ///
    /// A guest page can be backed by a host page of a size that divides the difference of their addresses.
    @inlinable
    public static func largest(dividing number: UInt64) -> PageSize? {
        if number & size1G.mask == 0 { return .size1G }
        if number & size2M.mask == 0 { return .size2M }
        return number & size4K.mask == 0 ? .size4K : nil
    }
}

extension PageSize: Comparable {
    @inlinable
    public static func < (left: PageSize, right: PageSize) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension PageSize: CustomStringConvertible {
    /// As in "4 KiB".
    public var description: String {
        switch self {
        case .size4K: "4 KiB"
        case .size2M: "2 MiB"
        case .size1G: "1 GiB"
        }
    }
}
