/// Alignment, in bytes and always a power of two, and page frames: the pages of 4 KiB, numbered from address 0 up.
extension GuestAddress {
    /// How many page frames there are in all: 2^52.
    @inlinable
    public static var frameCount: UInt64 { 1 << (64 - PageSize.size4K.shift) }

    /// The first byte of a page frame.
    /// - Returns: nil from frame 2^52 on, where there are no more addresses.
    @inlinable
    public init?(frame: UInt64) {
        guard frame < Self.frameCount else { return nil }
        self.init(frame << PageSize.size4K.shift)
    }

    /// The number of the page frame that the address is in.
    @inlinable
    public var frame: UInt64 { rawValue >> PageSize.size4K.shift }

    /// Whether it is a multiple of `alignment`.
    @inlinable
    public func isAligned(to alignment: UInt64) -> Bool {
        rawValue & (alignment &- 1) == 0
    }

    /// The next multiple of `alignment` at or below it.
    @inlinable
    public func alignedDown(to alignment: UInt64) -> GuestAddress {
        GuestAddress(rawValue & ~(alignment &- 1))
    }

    /// The next multiple of `alignment` at or above it, or nil where that is 2^64.
    @inlinable
    public func alignedUp(to alignment: UInt64) -> GuestAddress? {
        advanced(byBytes: alignment &- 1)?.alignedDown(to: alignment)
    }
}
