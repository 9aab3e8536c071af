import VMAddressSpace
import VMDirtyBitmap
import VMMemory

/// Regions of `size` bytes, one every `stride` bytes from 0.
func regions<Dirty: NewBitmap>(
    _ count: Int, size: UInt64, stride: UInt64, _ bitmap: Dirty.Type
) throws -> [any GuestMemoryRegion] {
    try (0..<UInt64(count)).map { index in
        let range = try MemoryRange(start: GuestAddress(index * stride), count: size)
        return try MemoryRegion<Dirty>(anonymous: range)
    }
}
