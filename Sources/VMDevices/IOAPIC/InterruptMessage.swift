/// A message signalled interrupt: the store by which a device interrupts a processor (Intel SDM volume 3, "Message
/// Signalled Interrupts"). `KVM_SIGNAL_MSI` takes the same two values.
public struct InterruptMessage: Hashable, Sendable {
    /// The guest-physical address stored to: 0xfee00000, destination in bits 19:12, logical destination mode in bit 2.
    public var address: UInt64
    /// The value stored: vector in bits 7:0, delivery mode in bits 10:8, assert in bit 14, level-triggered in bit 15.
    public var data: UInt32

    /// Makes a message from its two raw values.
    public init(address: UInt64, data: UInt32) {
        self.address = address
        self.data = data
    }
}
