import VMAddressSpace
import VMDirtyBitmap

/// What stands in the table of a map without regions: it ends before it starts, and nothing lies behind it.
final class NoRegion: GuestMemoryRegion, GuestMemoryAccess {
    static let shared = NoRegion()

    let range = MemoryRange.nowhere
    var access: any GuestMemoryAccess { self }
    var accessOffset: UInt64 { 0 }
    var accessBitmap: AccessBitmap? { nil }
    var isReadOnly: Bool { true }
    var isTracking: Bool { false }
    var borrowedSlice: AtomicBitmap.BorrowedSlice? { nil }

    var mapping: UnsafeMutableRawPointer? { nil }
    var byteCount: UInt64 { 0 }

    private init() {}

    func markDirty(offset: UInt64, count: UInt64) {}
    func isDirty(at offset: UInt64) -> Bool { false }
}
