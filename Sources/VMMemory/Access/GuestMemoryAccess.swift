import VMAddressSpace

/// What lies behind a region of guest memory: a host mapping, in which pages may be missing, or something that is reached
/// by calls alone.
///
/// `GuestMemory` tries the mapping first. Where there is none, or the access bitmap forbids a page, or the host faults, it
/// asks `pageFault`, and does what that says: it tries again, fails, or calls a fallback. It holds no snapshot and no lock
/// while it calls, so that these may block, and may change the memory map.
///
/// Offsets and counts are in bytes from the backing's start; callers keep them within `byteCount`. All of it is called
/// from any thread, from several at a time. Everything but `mapping` and `byteCount` has a default.
public protocol GuestMemoryAccess: AnyObject, Sendable {
    /// The host address of offset 0, at the start of a page, which stays the same, and reserved for this, as long as the
    /// backing lives; single pages of it may be missing at any time. Nil where the backing is reached by the fallbacks alone.
    var mapping: UnsafeMutableRawPointer? { get }

    /// How many bytes the backing covers, all of which can be accessed: the mapping's length.
    var byteCount: UInt64 { get }

    /// Which pages may be accessed through the mapping; nil where all may. Read once, when a region is made of the backing.
    var accessBitmap: AccessBitmap? { get }

    /// A handle of the backing's own making for a part of it, such as one whose pages stay locked; nil (the default)
    /// for `GuestMemory` to make one.
    /// - Parameter allowsPreemptiveLocking: whether the pages may be locked as long as the result lives.
    func subrange(
        offset: UInt64, count: UInt64, allowsPreemptiveLocking: Bool
    ) throws(GuestMemoryBackingError) -> GuestMemory?

    /// An access through the mapping failed at `offset`, with `count` bytes still to go, not all of which need be out of
    /// reach. The default fails.
    func pageFault(offset: UInt64, count: UInt64, _ fault: PageFault) -> PageFaultAction

    /// Fills `buffer` from `offset` on. Here and in `writeFallback`, 1, 2, 4 or 8 bytes at an offset that is a multiple of
    /// their number should be one access: `GuestMemory` promises that these are not torn.
    func readFallback(offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryBackingError)

    /// Writes all of `buffer` from `offset` on.
    func writeFallback(offset: UInt64, from buffer: UnsafeRawBufferPointer) throws(GuestMemoryBackingError)

    /// Sets `count` bytes from `offset` on to `value`.
    func fillFallback(offset: UInt64, count: UInt64, with value: UInt8) throws(GuestMemoryBackingError)

    /// Replaces the `size` bytes at `offset` by `desired` if they are `expected`, in one step.
    /// - Parameter size: 1, 2, 4 or 8.
    /// - Returns: what was there.
    func compareExchangeFallback(
        offset: UInt64, size: Int, expected: UInt64, desired: UInt64
    ) throws(GuestMemoryBackingError) -> UInt64

    /// Makes the host addresses of a part ready for the kernel or a device, as pages of it are being locked: see
    /// `MemoryRegistrar`.
    func exposeHostAddresses(offset: UInt64, count: UInt64) throws(GuestMemoryBackingError)

    /// The address at which a device that is not behind an IOMMU finds offset 0 when it is told to access memory; nil
    /// where it cannot.
    var baseIOVA: UInt64? { get }

    /// Keeps the pages of a part where they are, so that host addresses can be used for the purpose, until `unlockPages`
    /// has been called as often for them. Throws where they are not there, or cannot be used for it. The default
    /// suits a backing that never unmaps a page while it lives: locked pages keep it alive.
    func lockPages(offset: UInt64, count: UInt64, for purpose: GuestMemory.Purpose) throws(GuestMemoryBackingError)

    /// Ends what `lockPages` began with the same numbers.
    func unlockPages(offset: UInt64, count: UInt64)

    /// Has the host provide the pages of a part now, which is whole pages of 4096 bytes; the contents stay what they are. The
    /// default does nothing.
    /// - Returns: whether that is done.
    func providePages(offset: UInt64, count: UInt64) -> Bool
}

extension GuestMemoryAccess {
    public var accessBitmap: AccessBitmap? { nil }
    public var baseIOVA: UInt64? { nil }

    public func subrange(
        offset: UInt64, count: UInt64, allowsPreemptiveLocking: Bool
    ) throws(GuestMemoryBackingError) -> GuestMemory? {
        nil
    }

    public func pageFault(offset: UInt64, count: UInt64, _ fault: PageFault) -> PageFaultAction {
        mapping == nil ? .fallback : .fail(nil)
    }

    public func readFallback(
        offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(GuestMemoryBackingError) {
        throw .notSupported
    }

    public func writeFallback(offset: UInt64, from buffer: UnsafeRawBufferPointer) throws(GuestMemoryBackingError) {
        throw .notSupported
    }

    public func fillFallback(offset: UInt64, count: UInt64, with value: UInt8) throws(GuestMemoryBackingError) {
        throw .notSupported
    }

    public func compareExchangeFallback(
        offset: UInt64, size: Int, expected: UInt64, desired: UInt64
    ) throws(GuestMemoryBackingError) -> UInt64 {
        throw .notSupported
    }

    public func exposeHostAddresses(offset: UInt64, count: UInt64) throws(GuestMemoryBackingError) {}
    public func lockPages(
        offset: UInt64, count: UInt64, for purpose: GuestMemory.Purpose
    ) throws(GuestMemoryBackingError) {}
    public func unlockPages(offset: UInt64, count: UInt64) {}
    public func providePages(offset: UInt64, count: UInt64) -> Bool { false }
}
