import VMState

/// The registers of a 16550A: pure state, no lock and no outside world. Noncopyable, so that no access copies it.
struct SerialState: ~Copyable {
    private(set) var receiveFIFO = ReceiveFIFO()
    private var interruptEnable: InterruptEnable = []
    private var isFIFOEnabled = false
    private var triggerLevel = 1
    private var lineControl: UInt8 = 0
    private var modemControl: ModemControl = []
    private var modemDeltas: ModemStatus = []
    private var hasOverrun = false
    private var scratch: UInt8 = 0
    /// The divisor latch; 12 is 9600 baud from the usual 1.8432 MHz clock. It has no effect: bytes take no time.
    private var divisor: UInt16 = 12
    /// The transmitter-empty event, until a read of IIR reports it or a byte is written.
    private var isTransmitterEmptyPending = false
    /// Input was refused or filled the FIFO, and the host has not been told yet that there is room again.
    private var isHostWaiting = false
    /// The level last driven onto the interrupt line.
    private var drivenLevel = false

    private var isDivisorLatchSelected: Bool { lineControl & 0x80 != 0 }
    private var isLoopback: Bool { modemControl.contains(.loopback) }

    private var modemInputs: ModemStatus {
        isLoopback ? ModemStatus(loopbackOf: modemControl) : .connected
    }

    /// LSR as the guest would read it.
    var lineStatus: LineStatus {
        var status: LineStatus = [.holdingRegisterEmpty, .transmitterEmpty]
        if !receiveFIFO.isEmpty { status.insert(.dataReady) }
        if hasOverrun { status.insert(.overrun) }
        return status
    }

    // MARK: Interrupts

    /// The enabled event of the highest priority (PC16550D data sheet, table IV).
    private var pendingSource: InterruptSource {
        if interruptEnable.contains(.lineStatus), hasOverrun { return .lineStatus }
        if interruptEnable.contains(.receivedData), !receiveFIFO.isEmpty {
            let belowTrigger = isFIFOEnabled && receiveFIFO.count < triggerLevel
            return belowTrigger ? .characterTimeout : .receivedData
        }
        if interruptEnable.contains(.transmitterEmpty), isTransmitterEmptyPending { return .transmitterEmpty }
        if interruptEnable.contains(.modemStatus), !modemDeltas.isEmpty { return .modemStatus }
        return .none
    }

    /// The level on the interrupt line, which loopback disconnects. On a PC the OUT2 pin connects it, too; but other
    /// monitors do without that, and there are kernels that never set it (xv6).
    private var interruptLevel: Bool {
        !isLoopback && pendingSource != .none
    }

    /// The level to drive onto the interrupt line, or nil if it has that level already.
    mutating func takeLevelChange() -> Bool? {
        let level = interruptLevel
        guard level != drivenLevel else { return nil }
        drivenLevel = level
        return level
    }

    // MARK: Transmitting

    /// Where a byte written to offset 0 goes.
    enum TransmitTarget {
        case console, loopback, divisorLatch
    }

    var transmitTarget: TransmitTarget {
        isDivisorLatchSelected ? .divisorLatch : isLoopback ? .loopback : .console
    }

    /// Whether a byte for the console changes no state: it could only clear the transmitter-empty event and raise it
    /// again, and with that interrupt disabled nobody can tell. (Enabling it raises the event anyway.)
    var transmitsDirectly: Bool {
        transmitTarget == .console && !interruptEnable.contains(.transmitterEmpty)
    }

    /// The holding register was filled: the event is withdrawn.
    mutating func beginTransmit() {
        isTransmitterEmptyPending = false
    }

    /// The bytes have gone out: the event is raised.
    mutating func endTransmit() {
        isTransmitterEmptyPending = true
    }

    /// A byte comes around to the receiver.
    mutating func loopBack(_ byte: UInt8) {
        if receiveFIFO.push(byte) { hasOverrun = true }
        isTransmitterEmptyPending = true
    }

    // MARK: Receiving

    /// Takes what fits of the host's input and returns how much that was.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        var accepted = 0
        if !isLoopback {
            while accepted < bytes.count, !receiveFIFO.isFull {
                _ = receiveFIFO.push(bytes[accepted])
                accepted += 1
            }
        }
        if accepted < bytes.count || (accepted > 0 && receiveFIFO.isFull) { isHostWaiting = true }
        return accepted
    }

    /// Whether the host is to be told that there is room; says so once for each time the host had to wait.
    mutating func takeReceiveSpace() -> Bool {
        guard isHostWaiting, receiveFIFO.isEmpty, !isLoopback else { return false }
        isHostWaiting = false
        return true
    }

    // MARK: Registers

    mutating func read(offset: UInt16) -> UInt8 {
        switch offset {
        case 0: isDivisorLatchSelected ? UInt8(truncatingIfNeeded: divisor) : receiveFIFO.pop()
        case 1: isDivisorLatchSelected ? UInt8(divisor >> 8) : interruptEnable.rawValue
        case 2: readInterruptIdentification()
        case 3: lineControl
        case 4: modemControl.rawValue
        case 5: readLineStatus()
        case 6: readModemStatus()
        default: scratch
        }
    }

    /// Writes any register; offset 0 only while the divisor latch is selected, since bytes to send take another way.
    mutating func write(_ value: UInt8, offset: UInt16) {
        switch offset {
        case 0 where isDivisorLatchSelected: divisor = divisor & 0xff00 | UInt16(value)
        case 1 where isDivisorLatchSelected: divisor = divisor & 0x00ff | UInt16(value) << 8
        case 1: writeInterruptEnable(InterruptEnable(rawValue: value).intersection(.all))
        case 2: writeFIFOControl(FIFOControl(rawValue: value))
        case 3: lineControl = value
        case 4: writeModemControl(ModemControl(rawValue: value).intersection(.all))
        case 7: scratch = value
        default: break  // LSR and MSR: writing them is for the factory's tests.
        }
    }

    private mutating func readInterruptIdentification() -> UInt8 {
        let source = pendingSource
        // Reporting the event withdraws it; reporting one of a higher priority does not.
        if source == .transmitterEmpty { isTransmitterEmptyPending = false }
        return source.rawValue | (isFIFOEnabled ? 0xc0 : 0)
    }

    private mutating func readLineStatus() -> UInt8 {
        let status = lineStatus
        hasOverrun = false
        return status.rawValue
    }

    private mutating func readModemStatus() -> UInt8 {
        let status = modemInputs.union(modemDeltas)
        modemDeltas = []
        return status.rawValue
    }

    private mutating func writeInterruptEnable(_ value: InterruptEnable) {
        let newlyEnabled = value.subtracting(interruptEnable)
        interruptEnable = value
        // The holding register is always empty by the time the guest looks, and enabling the interrupt while it is
        // raises the event. Linux's 8250 driver tests for that.
        if newlyEnabled.contains(.transmitterEmpty) { isTransmitterEmptyPending = true }
    }

    private mutating func writeFIFOControl(_ value: FIFOControl) {
        let enable = value.contains(.enable)
        if enable != isFIFOEnabled {
            isFIFOEnabled = enable
            receiveFIFO.reset(enabled: enable)
        }
        // The other bits count only in a write that has the enable bit set.
        triggerLevel = enable ? value.triggerLevel : 1
        if enable, value.contains(.clearReceive) { receiveFIFO.clear() }
    }

    private mutating func writeModemControl(_ value: ModemControl) {
        let before = modemInputs
        modemControl = value
        let after = modemInputs
        let changed = before.symmetricDifference(after)
        if changed.contains(.clearToSend) { modemDeltas.insert(.deltaClearToSend) }
        if changed.contains(.dataSetReady) { modemDeltas.insert(.deltaDataSetReady) }
        if changed.contains(.dataCarrierDetect) { modemDeltas.insert(.deltaDataCarrierDetect) }
        if before.contains(.ringIndicator), !after.contains(.ringIndicator) {
            modemDeltas.insert(.trailingEdgeRingIndicator)
        }
    }

    // MARK: Saving

    /// What it is saved as.
    var saved: SavedSerialPort {
        SavedSerialPort(
            receiveFIFO: receiveFIFO, interruptEnable: interruptEnable, isFIFOEnabled: isFIFOEnabled,
            triggerLevel: triggerLevel, lineControl: lineControl, modemControl: modemControl,
            modemDeltas: modemDeltas, hasOverrun: hasOverrun, scratch: scratch, divisor: divisor,
            isTransmitterEmptyPending: isTransmitterEmptyPending, drivenLevel: drivenLevel)
    }

    /// Replaces all of it. A host that had to wait is told of room once more: it may be another one.
    mutating func restore(_ saved: SavedSerialPort) {
        receiveFIFO = saved.receiveFIFO
        interruptEnable = saved.interruptEnable
        isFIFOEnabled = saved.isFIFOEnabled
        triggerLevel = saved.triggerLevel
        lineControl = saved.lineControl
        modemControl = saved.modemControl
        modemDeltas = saved.modemDeltas
        hasOverrun = saved.hasOverrun
        scratch = saved.scratch
        divisor = saved.divisor
        isTransmitterEmptyPending = saved.isTransmitterEmptyPending
        drivenLevel = saved.drivenLevel
        isHostWaiting = true
    }
}

/// The registers of a serial port, saved.
struct SavedSerialPort: SavedPart {
    static let kind = "serial"
    static let version: UInt32 = 1

    fileprivate(set) var receiveFIFO = ReceiveFIFO()
    fileprivate(set) var interruptEnable: InterruptEnable = []
    fileprivate(set) var isFIFOEnabled = false
    fileprivate(set) var triggerLevel = 1
    fileprivate(set) var lineControl: UInt8 = 0
    fileprivate(set) var modemControl: ModemControl = []
    fileprivate(set) var modemDeltas: ModemStatus = []
    fileprivate(set) var hasOverrun = false
    fileprivate(set) var scratch: UInt8 = 0
    fileprivate(set) var divisor: UInt16 = 0
    fileprivate(set) var isTransmitterEmptyPending = false
    fileprivate(set) var drivenLevel = false
}

extension SavedSerialPort {
    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.flag("fifo enabled", &isFIFOEnabled)
        var received = receiveFIFO.content
        try archive.bytes("received", &received, count: 0...(isFIFOEnabled ? ReceiveFIFO.depth : 1))
        receiveFIFO = ReceiveFIFO(received, enabled: isFIFOEnabled)
        try archive.number("trigger level", &triggerLevel, in: 1...14)
        try archive.flags("interrupt enable", &interruptEnable, in: .all)
        try archive.number("line control", &lineControl)
        try archive.flags("modem control", &modemControl, in: .all)
        try archive.flags("modem deltas", &modemDeltas, in: .deltas)
        try archive.flag("overrun", &hasOverrun)
        try archive.number("scratch", &scratch)
        try archive.number("divisor", &divisor)
        try archive.flag("transmitter empty", &isTransmitterEmptyPending)
        try archive.flag("line asserted", &drivenLevel)
    }
}
