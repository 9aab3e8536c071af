/// What an I/O APIC does with one pin (Intel 82093AA data sheet, section 3.2.4).
struct RedirectionEntry {
    private static let remoteIRRBit: UInt64 = 1 << 14
    private static let deliveryStatusBit: UInt64 = 1 << 12
    private static let levelBit: UInt64 = 1 << 15
    private static let maskBit: UInt64 = 1 << 16
    /// Vector, delivery mode, destination mode, polarity, trigger mode, mask; destination.
    private static let writable: UInt64 = 0xff00_0000_0001_ffff & ~(remoteIRRBit | deliveryStatusBit)

    /// The register as the guest reads it. Delivery status stays 0: a message is sent at once.
    private(set) var rawValue: UInt64 = maskBit

    init() {}

    /// What it was when it was saved; bits that no entry has set are dropped.
    init(saved rawValue: UInt64) {
        self.rawValue = rawValue & (Self.writable | Self.remoteIRRBit)
        if rawValue & Self.levelBit == 0 { isRemoteIRRSet = false }
    }

    var vector: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
    var isMasked: Bool { rawValue & Self.maskBit != 0 }

    /// Whether the pin waits for an end of interrupt before it delivers again: level-triggered, and fixed or lowest
    /// priority delivery. The other delivery modes are always edges.
    var isLevelTriggered: Bool { rawValue & Self.levelBit != 0 && (rawValue >> 8) & 7 <= 1 }

    /// A level was delivered and its end of interrupt has not come yet.
    var isRemoteIRRSet: Bool {
        get { rawValue & Self.remoteIRRBit != 0 }
        set { rawValue = newValue ? rawValue | Self.remoteIRRBit : rawValue & ~Self.remoteIRRBit }
    }

    /// The interrupt the entry asks for.
    var message: InterruptMessage {
        let destination = rawValue >> 56
        let isLogical = (rawValue >> 11) & 1
        let isLevel = rawValue & Self.levelBit != 0
        return InterruptMessage(
            address: 0xfee0_0000 | destination << 12 | isLogical << 2,
            data: UInt32(truncatingIfNeeded: rawValue & 0x7ff) | (isLevel ? 1 << 15 | 1 << 14 : 0))
    }

    /// Takes a guest's write, which leaves the read-only bits alone.
    mutating func write(_ value: UInt64) {
        rawValue = rawValue & (Self.remoteIRRBit | Self.deliveryStatusBit) | value & Self.writable
        // Switching to edge mode and back is how system software ends an interrupt on a chip without an EOI register.
        if rawValue & Self.levelBit == 0 { isRemoteIRRSet = false }
    }
}
