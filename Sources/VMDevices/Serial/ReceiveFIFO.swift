/// The receive side's 16-byte ring, or the single receive buffer register when FIFOs are off.
struct ReceiveFIFO {
    static let depth = 16

    private var bytes = InlineArray<16, UInt8>(repeating: 0)
    private var head = 0
    private(set) var count = 0
    /// Bytes held before the ring is full: 16, or 1 with FIFOs off.
    private(set) var capacity = 1

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == capacity }

    init() {}

    /// As it was when it had `content`, of which as much is taken as fits.
    init(_ content: [UInt8], enabled: Bool) {
        reset(enabled: enabled)
        for byte in content.prefix(capacity) { _ = push(byte) }
    }

    /// What it holds, the oldest first.
    var content: [UInt8] {
        (0..<count).map { bytes[(head + $0) & (Self.depth - 1)] }
    }

    /// Empties the ring and sets its mode.
    mutating func reset(enabled: Bool) {
        count = 0
        capacity = enabled ? Self.depth : 1
    }

    /// Empties the ring.
    mutating func clear() {
        count = 0
    }

    /// Appends a byte.
    ///
    /// - Returns: whether a byte was lost. Full FIFOs drop the newcomer; the single register is overwritten (PC16550D
    ///   data sheet, LSR bit 1).
    mutating func push(_ byte: UInt8) -> Bool {
        let overrun = isFull
        if overrun, capacity > 1 { return true }
        if overrun { count = 0 }
        bytes[(head &+ count) & (Self.depth - 1)] = byte
        count += 1
        return overrun
    }

    /// Takes the oldest byte, or 0 if there is none.
    mutating func pop() -> UInt8 {
        guard count > 0 else { return 0 }
        let byte = bytes[head]
        head = (head &+ 1) & (Self.depth - 1)
        count -= 1
        return byte
    }
}
