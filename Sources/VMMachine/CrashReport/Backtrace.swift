/// The return addresses on a stack whose functions keep frame pointers: each frame holds the caller's frame pointer and,
/// after it, the return address.
enum Backtrace {
    /// - Returns: the address of the instruction first, then the return addresses, the innermost first.
    static func addresses(_ view: GuestView, limit: Int = 32) -> [UInt64] {
        var addresses = [view.cpu.linearInstructionPointer]
        let size = view.cpu.wordSize
        guard size > 2 else { return addresses }
        var frame = view.cpu.registers.rbp
        // An instruction fetch from nowhere was most likely a call or a return: the return address is still on the stack.
        if view.bytes(at: view.cpu.linearInstructionPointer, count: 1).isEmpty,
            let returnAddress = view.word(at: view.cpu.linearStackPointer, size: size), isCode(returnAddress, view)
        {
            addresses.append(returnAddress)
        }
        while addresses.count < limit, frame != 0, frame.isMultiple(of: UInt64(size)) {
            guard let next = view.word(at: frame, size: size),
                let returnAddress = view.word(at: frame &+ UInt64(size), size: size), returnAddress != 0,
                isCode(returnAddress, view)
            else { break }
            addresses.append(returnAddress)
            // Stacks grow downward, so a caller's frame is always further up; anything else is damage or an end mark.
            guard next > frame else { break }
            frame = next
        }
        return addresses
    }

    private static func isCode(_ address: UInt64, _ view: GuestView) -> Bool {
        !view.bytes(at: address, count: 1).isEmpty && view.walk(address).isExecutable
    }
}
