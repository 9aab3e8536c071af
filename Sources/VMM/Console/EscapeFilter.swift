/// Takes the escape sequences out of what is typed at a terminal: Ctrl-A and then X to quit, Ctrl-A once more for one
/// Ctrl-A, C for the Ctrl-C that the interrupt key would otherwise take.
struct EscapeFilter {
    private static let prefix: UInt8 = 0x01
    private static let interrupt: UInt8 = 0x03

    private var isAfterPrefix = false

    /// - Returns: what goes to the guest, and whether to quit.
    mutating func filter(_ typed: some Sequence<UInt8>) -> (bytes: [UInt8], quits: Bool) {
        var bytes: [UInt8] = []
        for byte in typed {
            if !isAfterPrefix {
                if byte == Self.prefix { isAfterPrefix = true } else { bytes.append(byte) }
                continue
            }
            isAfterPrefix = false
            switch byte {
            case UInt8(ascii: "x"), UInt8(ascii: "X"): return (bytes, true)
            case Self.prefix: bytes.append(Self.prefix)
            case UInt8(ascii: "c"), UInt8(ascii: "C"): bytes.append(Self.interrupt)
            default: bytes += [Self.prefix, byte]
            }
        }
        return (bytes, false)
    }
}
