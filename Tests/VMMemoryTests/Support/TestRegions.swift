import VMAddressSpace
import VMDirtyBitmap

@testable import VMMemory

/// Regions and maps for tests of these alone.
enum TestRegions {
    static func range(_ start: UInt64, _ count: UInt64) throws -> MemoryRange {
        try MemoryRange(start: GuestAddress(start), count: count)
    }

    /// RAM with host memory behind it.
    static func ram(_ start: UInt64, _ count: UInt64) throws -> any GuestMemoryRegion {
        try MemoryRegion(range(start, count), MappedMemory(HostMapping(anonymous: count)), bitmap: NoBitmap())
    }

    /// A region that nobody is going to access.
    static func bare(_ range: MemoryRange) throws -> any GuestMemoryRegion {
        try MemoryRegion(range, BackingWithoutMemory(), bitmap: NoBitmap())
    }

    static func bare(_ start: UInt64, _ count: UInt64) throws -> any GuestMemoryRegion {
        try bare(range(start, count))
    }
}

/// As long as a backing can be, and nothing there.
final class BackingWithoutMemory: GuestMemoryAccess, @unchecked Sendable {
    // SAFETY: nothing changes, and nobody follows the pointer.
    let mapping: UnsafeMutableRawPointer?
    let byteCount: UInt64
    let accessBitmap: AccessBitmap?

    init(at mapping: UInt = 0, byteCount: UInt64 = .max, accessBitmap: AccessBitmap? = nil) {
        self.mapping = UnsafeMutableRawPointer(bitPattern: mapping)
        self.byteCount = byteCount
        self.accessBitmap = accessBitmap
    }
}
