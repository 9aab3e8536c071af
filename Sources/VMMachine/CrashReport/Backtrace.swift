/// The return addresses on a stack whose functions keep frame pointers: each frame holds the caller's frame pointer and,
/// after it, the return address.
struct Backtrace {
    /// The address of the instruction first, then the return addresses, the innermost first.
    private(set) var addresses: [UInt64]
    /// Whether there are more frames than were looked at.
    private(set) var isCut = false
    private let view: GuestView
    /// Return addresses that were found to be code: recursion returns to the same ones again and again.
    private var known: Set<UInt64> = []

    /// More than a stack of sensible size holds.
    static let limit = 4096

    init(_ view: GuestView, limit: Int = Self.limit) {
        self.view = view
        addresses = [view.cpu.linearInstructionPointer]
        let size = view.cpu.wordSize
        guard size > 2 else { return }
        addCaller(size)
        follow(size, limit)
    }

    static func addresses(_ view: GuestView, limit: Int = Self.limit) -> [UInt64] {
        Backtrace(view, limit: limit).addresses
    }

    /// An instruction fetch from nowhere was most likely a call: the return address is still on the stack.
    private mutating func addCaller(_ size: Int) {
        guard !view.isReadable(view.cpu.linearInstructionPointer),
            let address = view.word(at: view.cpu.linearStackPointer, size: size), isCode(address)
        else { return }
        addresses.append(address)
    }

    private mutating func follow(_ size: Int, _ limit: Int) {
        var frame = view.cpu.registers.rbp & CPUSnapshot.mask(size)
        while frame != 0, frame.isMultiple(of: UInt64(size)) {
            guard let (next, returnAddress) = view.pair(at: frame, size: size), returnAddress != 0,
                isCode(returnAddress)
            else { return }
            guard addresses.count < limit else {
                isCut = true
                return
            }
            addresses.append(returnAddress)
            // Stacks grow downward, so a caller's frame is always further up; anything else is damage or an end mark.
            guard next > frame else { return }
            frame = next
        }
    }

    /// Whether a call can have been just before: in a guest whose symbols are known, inside one of them.
    private mutating func isCode(_ address: UInt64) -> Bool {
        if known.contains(address) { return true }
        let walk = view.walk(address)
        guard view.isReadable(address), walk.isExecutable,
            view.symbols.map({ $0.symbol(at: address &- 1) != nil }) ?? true
        else { return false }
        known.insert(address)
        return true
    }
}
