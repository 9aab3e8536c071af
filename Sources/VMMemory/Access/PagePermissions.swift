import Synchronization
import VMAddressSpace
import VMDirtyBitmap

/// An access bitmap and the owner of its words: all pages may be read and written at first. Its own memory comes with the
/// restrictions: what nobody restricts costs address space alone.
///
/// Any thread may change it, at any time. Take rights away in this order: `set`, call `GuestMemoryAtomic.synchronize()`,
/// then rely on it.
public final class PagePermissions: @unchecked Sendable {
    // SAFETY: the words are atomics in a mapping that lives as long as this object; the pointers never change.
    private let unreadable: UnsafeMutablePointer<Atomic<UInt64>>
    private let unwritable: UnsafeMutablePointer<Atomic<UInt64>>
    /// Internal for tests to see how much of it is resident.
    let storage: HostMapping
    /// How many bytes of memory it speaks of.
    public let byteCount: UInt64

    /// What a page may be used for.
    public struct Rights: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8

        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        public static let read = Rights(rawValue: 1)
        public static let write = Rights(rawValue: 2)
    }

    /// - Parameter byteCount: how many bytes of memory it is to speak of; it reserves two bits itself for each 4 KiB.
    /// - Throws: `HostMemoryError` where the host has no memory for the bits.
    public init(byteCount: UInt64) throws(HostMemoryError) {
        // Whole pages for each of the two bitmaps, and at least one.
        let bytesPerPageOfBits = (8 * PageSize.size4K.bytes) << PageSize.size4K.shift
        let bitmapBytes = (byteCount / bytesPerPageOfBits + 1) * PageSize.size4K.bytes
        let storage = try HostMapping(anonymous: 2 * bitmapBytes)
        // SAFETY: an `Atomic<UInt64>` has the representation of its value, so that one made of zero bytes holds 0.
        unreadable = storage.baseAddress.assumingMemoryBound(to: Atomic<UInt64>.self)
        unwritable = (storage.baseAddress + Int(bitmapBytes)).assumingMemoryBound(to: Atomic<UInt64>.self)
        self.storage = storage
        self.byteCount = byteCount
    }

    /// What a backing's `accessBitmap` returns. It is good as long as this object lives.
    public var accessBitmap: AccessBitmap {
        AccessBitmap(unreadable: UnsafePointer(unreadable), unwritable: UnsafePointer(unwritable))
    }

    /// Sets what the pages of a part may be used for. What lies past the end is ignored.
    /// - Parameter offset: in bytes, as `count`; pages that are touched at all are meant.
    public func set(_ rights: Rights, offset: UInt64, count: UInt64) {
        guard offset < byteCount, count > 0 else { return }
        let last = offset + min(count - 1, byteCount - 1 - offset)
        let pages = WordSpan(offset >> PageSize.size4K.shift...last >> PageSize.size4K.shift)
        pages.set(!rights.contains(.read), in: unreadable)
        pages.set(!rights.contains(.write), in: unwritable)
    }
}
