import SystemPackage
import VMHost

/// A bitmap that could not be made or grown. Nothing has changed.
public enum BitmapError: Error, Hashable, CustomStringConvertible {
    /// The page size is not a power of two.
    case invalidPageSize(UInt64)
    /// A length above what the bitmap reserved address space for.
    case beyondReserve(byteCount: UInt64, reserve: UInt64)
    /// The host did not give the bitmap's own memory for `byteCount` bytes of tracked memory.
    case noMemory(byteCount: UInt64, errno: Errno)

    public var description: String {
        switch self {
        case .invalidPageSize(let size):
            "cannot make a dirty bitmap of \(size)-byte pages: a page size must be a power of two"
        case .beyondReserve(let byteCount, let reserve):
            "cannot track \(byteCount) bytes: the dirty bitmap was made to grow to \(reserve) at most"
        case .noMemory(let byteCount, let errno):
            "cannot get memory for a dirty bitmap of \(byteCount) bytes: \(errno.symbol)"
        }
    }
}
