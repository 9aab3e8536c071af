import Glibc
import Synchronization
import VMAddressSpace

/// An access bitmap and the owner of its words: all pages may be read and written at first.
///
/// Any thread may change it, at any time. Take rights away in this order: clear the bits, call
/// `GuestMemoryAtomic.synchronize()`, then rely on it.
public final class PagePermissions: @unchecked Sendable {
    // SAFETY: the words are atomics in a mapping that lives as long as this object; the pointers never change.
    private let readable: UnsafeMutablePointer<Atomic<UInt64>>
    private let writable: UnsafeMutablePointer<Atomic<UInt64>>
    private let storage: HostMapping
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

    /// - Parameter byteCount: how many bytes of memory it is to speak of; it takes two bits itself for each 4 KiB.
    /// - Throws: `HostMemoryError` where the host has no memory for the bits.
    public init(byteCount: UInt64) throws(HostMemoryError) {
        // Whole pages for each of the two bitmaps, and at least one.
        let bitmapBytes = (byteCount >> 27 + 1) << 12
        let storage = try HostMapping(anonymous: 2 * bitmapBytes)
        memset(storage.baseAddress, 0xff, storage.count)
        // SAFETY: `Atomic<UInt64>` has the representation of its value, and all bits may be set.
        readable = storage.baseAddress.assumingMemoryBound(to: Atomic<UInt64>.self)
        writable = (storage.baseAddress + Int(bitmapBytes)).assumingMemoryBound(to: Atomic<UInt64>.self)
        self.storage = storage
        self.byteCount = byteCount
    }

    /// What a backing's `accessBitmap` returns. It is good as long as this object lives.
    public var accessBitmap: AccessBitmap {
        AccessBitmap(readable: UnsafePointer(readable), writable: UnsafePointer(writable))
    }

    /// Sets what the pages of a part may be used for. What lies past the end is ignored.
    /// - Parameter offset: in bytes, as `count`; pages that are touched at all are meant.
    public func set(_ rights: Rights, offset: UInt64, count: UInt64) {
        guard offset < byteCount, count > 0 else { return }
        let last = offset + min(count - 1, byteCount - 1 - offset)
        for page in (offset >> 12)...(last >> 12) {
            set(readable, page, rights.contains(.read))
            set(writable, page, rights.contains(.write))
        }
    }

    private func set(_ words: UnsafeMutablePointer<Atomic<UInt64>>, _ page: UInt64, _ value: Bool) {
        let bit: UInt64 = 1 << (page & 63)
        if value {
            words[Int(page >> 6)].bitwiseOr(bit, ordering: .releasing)
        } else {
            words[Int(page >> 6)].bitwiseAnd(~bit, ordering: .releasing)
        }
    }
}
