/// One exit as a line of text.
enum ExitText {
    /// - Parameter isLost: whether the registers say nothing about the guest, this last exit included.
    static func line(_ exit: ExitRecord, _ view: GuestView, isLost: Bool = false) -> String {
        var text = what(exit)
        if exit.count > 1 { text += " (string of \(exit.count), the first)" }
        if exit.repetitions > 0 { text += " and \(exit.repetitions) more, this the last" }
        if exit.instructionPointer != 0, !isLost || exit.kind != .shutdown {
            text += "  rip \(place(exit.instructionPointer, view, isLost))"
        }
        return text
    }

    /// Records hold an offset in a code segment that is not known any more: it has a name only where that segment, by the
    /// present one, starts at zero.
    private static func place(_ rip: UInt64, _ view: GuestView, _ isLost: Bool) -> String {
        let isFlat = view.cpu.mode == .long64 || view.cpu.special.cs.base == 0
        return isLost || isFlat ? view.name(rip) : Hex.short(rip)
    }

    private static func what(_ exit: ExitRecord) -> String {
        let bits = Int(exit.size) * 8
        let value = "0x" + Hex.padded(exit.value, Int(exit.size) * 2)
        let address = Hex.short(exit.address)
        return switch exit.kind {
        case .portRead: "in\(bits) \(address) -> \(value)\(character(exit))"
        case .portWrite: "out\(bits) \(address) <- \(value)\(character(exit))"
        case .mmioRead: "read\(bits) \(address) -> \(value)"
        case .mmioWrite: "write\(bits) \(address) <- \(value)"
        case .halt: "hlt"
        case .interrupted: "interrupted"
        case .endOfInterrupt: "end of interrupt"
        case .dirtyRingFull: "dirty ring full"
        case .shutdown: "shutdown"
        case .internalError: "internal error"
        case .failedEntry: "failed entry"
        case .systemEvent: "system event\(number(exit))"
        case .memoryFault: "memory fault at \(address)"
        case .other: "exit\(number(exit, " reason"))"
        }
    }

    /// The number of what happened, where it was recorded.
    private static func number(_ exit: ExitRecord, _ word: String = "") -> String {
        exit.address == 0 ? "" : "\(word) \(exit.address)"
    }

    /// What a byte to or from a port is as text: most are the serial port's.
    private static func character(_ exit: ExitRecord) -> String {
        guard exit.size == 1, (0x20..<0x7f).contains(exit.value) else { return "" }
        return " '\(Character(Unicode.Scalar(UInt8(exit.value))))'"
    }
}
