import VMAddressSpace

/// Whole pages, by frame number.
func pages(_ frames: Range<UInt64>) -> MemoryRange {
    try! MemoryRange(frames: frames)
}

/// Bytes of so many pages.
func bytes(_ pages: UInt64) -> UInt64 {
    pages * PageSize.size4K.bytes
}
