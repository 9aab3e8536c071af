import VMAddressSpace

/// Whole pages, by frame number.
func pages(_ frames: Range<UInt64>) -> MemoryRange {
    try! MemoryRange(frames: frames)
}

func bytes(_ start: UInt64, through last: UInt64) -> AddressRange {
    AddressRange(from: GuestAddress(start), through: GuestAddress(last))!
}
