import VMAddressSpace

/// Whole pages, by frame number.
func pages(_ frames: Range<UInt64>) -> MemoryRange {
    try! MemoryRange(frames: frames)
}
