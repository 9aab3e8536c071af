import VMState

/// Saving and restoring, while no vCPU runs.
extension IOAPIC {
    /// What its registers are.
    public var savedState: some SavedPart {
        state.withLock { state in
            SavedIOAPIC(
                selector: state.selector, identification: state.identification,
                entries: state.pins.map(\.entry.rawValue), asserted: state.pins.map { $0.isDirectlyAsserted ? 1 : 0 },
                routed: state.pins.map { $0.reportedMessage == nil ? 0 : 1 },
                addresses: state.pins.map { $0.reportedMessage?.address ?? 0 },
                data: state.pins.map { UInt64($0.reportedMessage?.data ?? 0) })
        }
    }

    /// Checks its record.
    /// - Returns: what gives the device that state, and cannot fail.
    public func restoration(from records: MachineState) throws(StateError) -> () -> Void {
        let saved = try records.part(SavedIOAPIC.self)
        return { [self] in
            state.withLock { state in
                state.selector = saved.selector
                state.identification = saved.identification
                for pin in 0..<Self.pinCount {
                    state.pins[pin].entry = RedirectionEntry(saved: saved.entries[pin])
                    // Whoever drives a line restores its level by itself; what it drives now is still counted.
                    state.pins[pin].isDirectlyAsserted = saved.asserted[pin] != 0
                    state.pins[pin].reportedMessage = saved.message(pin)
                    if let message = saved.message(pin) { onRouteChange?(pin, message) }
                }
            }
        }
    }
}

/// The registers of an I/O APIC, saved.
private struct SavedIOAPIC: SavedPart {
    static let kind = "ioapic"
    static let version: UInt32 = 1
    private static let count = IOAPIC.pinCount...IOAPIC.pinCount

    var selector: UInt8 = 0
    var identification: UInt32 = 0
    // A number for each pin.
    var entries: [UInt64] = []
    var asserted: [UInt64] = []
    var routed: [UInt64] = []
    var addresses: [UInt64] = []
    var data: [UInt64] = []

    /// What the pin sends, where the kernel was told.
    func message(_ pin: Int) -> InterruptMessage? {
        guard routed[pin] != 0 else { return nil }
        return InterruptMessage(address: addresses[pin], data: UInt32(truncatingIfNeeded: data[pin]))
    }

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("selector", &selector)
        try archive.number("id", &identification, in: 0...0x0f00_0000)
        try archive.numbers("entries", &entries, count: Self.count)
        try archive.numbers("asserted", &asserted, count: Self.count)
        try archive.numbers("routed", &routed, count: Self.count)
        try archive.numbers("addresses", &addresses, count: Self.count)
        try archive.numbers("data", &data, count: Self.count)
    }
}
