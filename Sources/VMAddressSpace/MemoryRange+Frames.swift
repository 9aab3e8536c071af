/// A range as page frames: the pages of 4 KiB, numbered from address 0 up. All of them can be counted.
extension MemoryRange {
    /// - Parameter frames: frame numbers, up to 2^52.
    /// - Throws: `MemoryRangeError` where there are none, or one is past the last address.
    @inlinable
    public init(frames: Range<UInt64>) throws(MemoryRangeError) {
        guard let start = GuestAddress(frame: frames.lowerBound), frames.upperBound <= GuestAddress.frameCount else {
            throw .framesPastEnd(frames)
        }
        guard !frames.isEmpty else { throw .empty(start: start) }
        // Frame 2^52 begins at 2^64, which wraps to 0.
        let end = frames.upperBound << PageSize.size4K.shift
        self.init(uncheckedFrom: start, through: GuestAddress(end &- 1))
    }

    /// The numbers of its page frames.
    @inlinable
    public var frames: Range<UInt64> { start.frame..<(last.frame + 1) }

    /// How many pages of 4 KiB it has.
    @inlinable
    public var pageCount: UInt64 { last.frame - start.frame + 1 }
}
