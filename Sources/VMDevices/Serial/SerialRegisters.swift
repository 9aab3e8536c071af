// Register bits of the PC16550D (National Semiconductor data sheet, section 8), by their names there.

/// Which events may interrupt (IER).
struct InterruptEnable: OptionSet {
    var rawValue: UInt8

    static let receivedData = InterruptEnable(rawValue: 1 << 0)
    static let transmitterEmpty = InterruptEnable(rawValue: 1 << 1)
    static let lineStatus = InterruptEnable(rawValue: 1 << 2)
    static let modemStatus = InterruptEnable(rawValue: 1 << 3)
    static let all = InterruptEnable(rawValue: 0x0f)
}

/// The low four bits of IIR, highest priority first.
enum InterruptSource: UInt8 {
    case lineStatus = 0x06
    case receivedData = 0x04
    case characterTimeout = 0x0c
    case transmitterEmpty = 0x02
    case modemStatus = 0x00
    case none = 0x01
}

/// What a write to FCR asks for.
struct FIFOControl: OptionSet {
    var rawValue: UInt8

    static let enable = FIFOControl(rawValue: 1 << 0)
    static let clearReceive = FIFOControl(rawValue: 1 << 1)

    /// Bytes in the receive FIFO that raise "received data available": bits 7:6.
    var triggerLevel: Int {
        switch rawValue >> 6 {
        case 0: 1
        case 1: 4
        case 2: 8
        default: 14
        }
    }
}

/// Modem outputs and loopback (MCR).
struct ModemControl: OptionSet {
    var rawValue: UInt8

    static let dataTerminalReady = ModemControl(rawValue: 1 << 0)
    static let requestToSend = ModemControl(rawValue: 1 << 1)
    static let out1 = ModemControl(rawValue: 1 << 2)
    static let out2 = ModemControl(rawValue: 1 << 3)
    static let loopback = ModemControl(rawValue: 1 << 4)
    static let all = ModemControl(rawValue: 0x1f)
}

/// Receiver and transmitter state (LSR).
struct LineStatus: OptionSet {
    var rawValue: UInt8

    static let dataReady = LineStatus(rawValue: 1 << 0)
    static let overrun = LineStatus(rawValue: 1 << 1)
    static let holdingRegisterEmpty = LineStatus(rawValue: 1 << 5)
    static let transmitterEmpty = LineStatus(rawValue: 1 << 6)
}

/// Modem inputs in the high half, what changed since the last read in the low half (MSR).
struct ModemStatus: OptionSet {
    var rawValue: UInt8

    static let deltaClearToSend = ModemStatus(rawValue: 1 << 0)
    static let deltaDataSetReady = ModemStatus(rawValue: 1 << 1)
    static let trailingEdgeRingIndicator = ModemStatus(rawValue: 1 << 2)
    static let deltaDataCarrierDetect = ModemStatus(rawValue: 1 << 3)
    static let clearToSend = ModemStatus(rawValue: 1 << 4)
    static let dataSetReady = ModemStatus(rawValue: 1 << 5)
    static let ringIndicator = ModemStatus(rawValue: 1 << 6)
    static let dataCarrierDetect = ModemStatus(rawValue: 1 << 7)

    static let deltas: ModemStatus = [
        .deltaClearToSend, .deltaDataSetReady, .trailingEdgeRingIndicator, .deltaDataCarrierDetect,
    ]

    /// The inputs of a port with a terminal at the other end: carrier, ready, clear to send.
    static let connected: ModemStatus = [.clearToSend, .dataSetReady, .dataCarrierDetect]

    /// The inputs as loopback wires them to the outputs.
    init(loopbackOf control: ModemControl) {
        self = []
        if control.contains(.requestToSend) { insert(.clearToSend) }
        if control.contains(.dataTerminalReady) { insert(.dataSetReady) }
        if control.contains(.out1) { insert(.ringIndicator) }
        if control.contains(.out2) { insert(.dataCarrierDetect) }
    }

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }
}
