import Synchronization

/// An I/O APIC in user space, for a KVM machine whose local APICs are in the kernel ("split irqchip"): 24 pins, version
/// 0x11 (Intel 82093AA data sheet).
///
/// Interrupts leave as messages through a closure. Edges that come while a pin is masked are lost, as the data sheet
/// says. A level-triggered pin delivers once, then waits for `endOfInterrupt(vector:)`, and delivers again if its line
/// is still asserted. Polarity bits are remembered and ignored, since lines here are asserted or not.
///
/// KVM exits for an end of interrupt (`KVM_EXIT_IOAPIC_EOI`) only for vectors it finds level-triggered in the interrupt
/// routes of the I/O APIC's pins (KVM API, `KVM_CAP_SPLIT_IRQCHIP`), so a machine must keep those routes up to date:
/// that is what `onRouteChange` is for.
///
/// Registers are 32 bits wide at offsets 0x00 (IOREGSEL) and 0x10 (IOWIN). A narrower access reaches the bytes it names
/// and leaves the rest; of a wider one only the part inside the register counts. Everything else reads 0.
///
/// Threads: any, several at once. The closures are called with the I/O APIC's lock held, so that after a guest has
/// masked or moved an interrupt it does not see it the old way again; they must not call back.
public final class IOAPIC: MMIODevice {
    /// Where a PC's first I/O APIC is.
    public static let standardAddress: UInt64 = 0xfec0_0000
    /// The pins: 24.
    public static let pinCount = 24

    private static let selectOffset: UInt64 = 0x00
    private static let windowOffset: UInt64 = 0x10
    private static let version: UInt32 = UInt32(pinCount - 1) << 16 | 0x11

    /// A pin's entry and what drives it.
    struct Pin {
        var entry = RedirectionEntry()
        /// The message that `onRouteChange` was last told.
        var reportedMessage: InterruptMessage?
        /// Asserted through `setLevel(pin:asserted:)`.
        var isDirectlyAsserted = false
        /// How many of the pin's lines are asserted.
        var assertedLines = 0

        var isAsserted: Bool { isDirectlyAsserted || assertedLines > 0 }
    }

    /// Noncopyable, so that no access copies the pins.
    struct State: ~Copyable {
        var selector: UInt8 = 0
        /// The ID in its place, bits 27:24.
        var identification: UInt32 = 0
        var pins = [Pin](repeating: Pin(), count: IOAPIC.pinCount)
    }

    let state = Mutex(State())
    private let deliver: @Sendable (InterruptMessage) -> Void
    let onRouteChange: (@Sendable (_ pin: Int, _ message: InterruptMessage) -> Void)?

    /// Makes an I/O APIC as it is after reset: ID 0, all pins masked.
    ///
    /// - Parameters:
    ///   - deliver: sends an interrupt, as `KVM_SIGNAL_MSI` does. The guest chooses the message, so it may be one that
    ///     nobody accepts.
    ///   - onRouteChange: called when the guest has changed the message that an unmasked pin sends, before anything is
    ///     delivered by it. While a pin is masked its last message stays its route.
    public init(
        deliver: @escaping @Sendable (InterruptMessage) -> Void,
        onRouteChange: (@Sendable (_ pin: Int, _ message: InterruptMessage) -> Void)? = nil
    ) {
        self.deliver = deliver
        self.onRouteChange = onRouteChange
    }

    /// What to put on an `MMIOBus`: 4 KiB at the standard address.
    public var attachment: MMIOBus.Attachment {
        .init(name: "I/O APIC", addresses: Self.standardAddress..<(Self.standardAddress + 0x1000), device: self)
    }

    // MARK: Registers

    /// Reads IOREGSEL, or the register it selects through IOWIN.
    public func read(offset: UInt64, size: Int) -> UInt64 {
        guard size >= 1 else { return 0 }
        let value: UInt32 = state.withLock { state in
            switch offset & ~3 {
            case Self.selectOffset: UInt32(state.selector)
            case Self.windowOffset: Self.selectedRegister(state)
            default: 0
            }
        }
        return UInt64(value >> (8 * UInt32(offset & 3)) & Self.mask(size: size))
    }

    /// Writes IOREGSEL, or the register it selects through IOWIN.
    public func write(_ value: UInt64, offset: UInt64, size: Int) {
        guard size >= 1 else { return }
        let shift = 8 * UInt32(offset & 3)
        let mask = Self.mask(size: size) << shift
        let bits = UInt32(truncatingIfNeeded: value) << shift & mask
        state.withLock { state in
            switch offset & ~3 {
            case Self.selectOffset:
                state.selector = UInt8(truncatingIfNeeded: UInt32(state.selector) & ~mask | bits)
            case Self.windowOffset:
                writeSelectedRegister(Self.selectedRegister(state) & ~mask | bits, &state)
            default: break
            }
        }
    }

    private static func mask(size: Int) -> UInt32 {
        size >= 4 ? .max : 1 << UInt32(8 * size) - 1
    }

    private static func selectedRegister(_ state: borrowing State) -> UInt32 {
        switch state.selector {
        case 0: return state.identification
        case 1: return version
        case 2: return state.identification  // Arbitration: takes the ID's value when the ID is written.
        case 0x10..<(0x10 + UInt8(2 * pinCount)):
            let entry = state.pins[Int(state.selector - 0x10) / 2].entry.rawValue
            return UInt32(truncatingIfNeeded: state.selector & 1 == 0 ? entry : entry >> 32)
        default: return 0
        }
    }

    private func writeSelectedRegister(_ value: UInt32, _ state: inout State) {
        switch state.selector {
        case 0: state.identification = value & 0x0f00_0000
        case 0x10..<(0x10 + UInt8(2 * Self.pinCount)):
            let pin = Int(state.selector - 0x10) / 2
            let isLowHalf = state.selector & 1 == 0
            let before = state.pins[pin].entry
            state.pins[pin].entry.write(
                isLowHalf
                    ? before.rawValue & ~0xffff_ffff | UInt64(value)
                    : before.rawValue & 0xffff_ffff | UInt64(value) << 32)
            reportRoute(of: pin, &state.pins[pin])
            deliverLevel(&state.pins[pin])
        default: break
        }
    }

    /// A masked pin keeps its route: the interrupt it delivered last may not have ended yet, and without the route nobody
    /// would say when it does.
    private func reportRoute(of pin: Int, _ state: inout Pin) {
        let message = state.entry.message
        guard !state.entry.isMasked, message != state.reportedMessage else { return }
        state.reportedMessage = message
        onRouteChange?(pin, message)
    }

    // MARK: Pins

    /// Drives a pin directly, as one more source beside its lines. Pins the chip does not have are ignored.
    ///
    /// - Parameters:
    ///   - pin: the pin, 0 to 23.
    ///   - asserted: whether this source asks for service.
    public func setLevel(pin: Int, asserted: Bool) {
        guard 0..<Self.pinCount ~= pin else { return }
        state.withLock { state in
            change(&state.pins[pin]) { $0.isDirectlyAsserted = asserted }
        }
    }

    /// A line to a pin. Each line is one source: the pin is asserted while any of its sources is.
    ///
    /// - Parameter pin: the pin, 0 to 23. A line to a pin the chip does not have leads nowhere.
    public func line(_ pin: Int) -> any InterruptLine {
        guard 0..<Self.pinCount ~= pin else { return DisconnectedLine() }
        return IOAPICLine(ioapic: self, pin: pin)
    }

    /// A processor has ended a level-triggered interrupt (`KVM_EXIT_IOAPIC_EOI`): pins that delivered it may deliver
    /// again, and do so at once if they are still asserted.
    ///
    /// - Parameter vector: the interrupt's vector.
    public func endOfInterrupt(vector: UInt8) {
        state.withLock { state in
            for pin in 0..<Self.pinCount {
                let entry = state.pins[pin].entry
                guard entry.vector == vector, entry.isRemoteIRRSet else { continue }
                state.pins[pin].entry.isRemoteIRRSet = false
                deliverLevel(&state.pins[pin])
            }
        }
    }

    /// Changes a pin's sources and delivers what follows from it. The lock is held.
    func change(_ pin: inout Pin, _ body: (inout Pin) -> Void) {
        let wasAsserted = pin.isAsserted
        body(&pin)
        guard pin.isAsserted, !wasAsserted else { return }
        if pin.entry.isLevelTriggered {
            deliverLevel(&pin)
        } else if !pin.entry.isMasked {
            deliver(pin.entry.message)
        }
    }

    /// Delivers for a pin that is asserted, level-triggered and free to deliver. The lock is held.
    private func deliverLevel(_ pin: inout Pin) {
        guard pin.isAsserted, pin.entry.isLevelTriggered else { return }
        guard !pin.entry.isMasked, !pin.entry.isRemoteIRRSet else { return }
        pin.entry.isRemoteIRRSet = true
        deliver(pin.entry.message)
    }
}

/// One source of an I/O APIC's pin.
final class IOAPICLine: InterruptLine {
    private let ioapic: IOAPIC
    private let pin: Int
    /// Guarded by the lock on the I/O APIC's state.
    private nonisolated(unsafe) var isAsserted = false

    init(ioapic: IOAPIC, pin: Int) {
        self.ioapic = ioapic
        self.pin = pin
    }

    func setLevel(_ asserted: Bool) {
        ioapic.state.withLock { state in
            guard asserted != isAsserted else { return }
            isAsserted = asserted
            ioapic.change(&state.pins[pin]) { $0.assertedLines += asserted ? 1 : -1 }
        }
    }

    func restoreLevel(_ asserted: Bool) {
        ioapic.state.withLock { state in
            guard asserted != isAsserted else { return }
            isAsserted = asserted
            state.pins[pin].assertedLines += asserted ? 1 : -1
        }
    }
}
