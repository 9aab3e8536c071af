/// A wire from a device to an interrupt controller.
///
/// Threads: `setLevel` is called on any thread. A device calls it while it holds the lock on its own state, because
/// two levels that overtook each other would leave the wire at the wrong one; so an implementation must not call back
/// into the device.
public protocol InterruptLine: AnyObject, Sendable {
    /// Drives the wire; driving it to the level it already has changes nothing.
    ///
    /// - Parameter asserted: whether the device asks for service, whatever the electrical polarity.
    func setLevel(_ asserted: Bool)

    /// Gives the wire the level it had when its device and its interrupt controller were saved: both have the rest of it in
    /// their own state, so nothing is delivered.
    func restoreLevel(_ asserted: Bool)
}

extension InterruptLine {
    /// Drives it, for a wire whose other end takes no notice of a level it has already.
    public func restoreLevel(_ asserted: Bool) {
        setLevel(asserted)
    }
}

/// A wire that leads nowhere, for a device that is only polled.
public final class DisconnectedLine: InterruptLine {
    /// Makes a wire that leads nowhere.
    public init() {}

    /// Does nothing.
    public func setLevel(_ asserted: Bool) {}
}
