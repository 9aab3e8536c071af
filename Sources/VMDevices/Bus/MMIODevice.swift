/// A device behind a range of guest-physical addresses.
///
/// Threads: called on any vCPU thread, several at once; a device guards its own state. An `MMIOBus` only hands a device
/// accesses that lie wholly inside the range it was attached at.
public protocol MMIODevice: AnyObject, Sendable {
    /// Reads from the device.
    ///
    /// - Parameters:
    ///   - offset: bytes from the start of the device's range.
    ///   - size: the width in bytes, 1 to 8.
    /// - Returns: the value in the low `size` bytes, least significant byte first; the rest is ignored.
    func read(offset: UInt64, size: Int) -> UInt64

    /// Writes to the device.
    ///
    /// - Parameters:
    ///   - value: the value in the low `size` bytes; a device ignores the rest.
    ///   - offset: bytes from the start of the device's range.
    ///   - size: the width in bytes, 1 to 8.
    func write(_ value: UInt64, offset: UInt64, size: Int)
}
