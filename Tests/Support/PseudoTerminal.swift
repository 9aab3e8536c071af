import Glibc

/// A terminal whose user is the test.
public final class PseudoTerminal {
    /// Where the user types and reads.
    let controller: Descriptor
    /// What programs open as their terminal.
    public let path: String

    public init() throws(ChildError) {
        let number = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else { throw ChildError("opening /dev/ptmx", errno) }
        controller = Descriptor(number)
        // What `unlockpt(3)` and `ptsname(3)` do, which the C library shows with extensions only.
        let setLock: UInt = 0x4004_5431
        let getNumber: UInt = 0x8004_5430
        var isLocked: Int32 = 0
        var index: Int32 = 0
        guard ioctl(number, setLock, &isLocked) == 0, ioctl(number, getNumber, &index) == 0 else {
            throw ChildError("making a pseudo-terminal", errno)
        }
        path = "/dev/pts/\(index)"
    }

    /// How the terminal treats what is typed and printed.
    public var mode: TerminalMode {
        get {
            var mode = termios()
            tcgetattr(controller.number, &mode)
            return TerminalMode(mode)
        }
        set {
            var mode = newValue.termios
            tcsetattr(controller.number, TCSANOW, &mode)
        }
    }
}

/// The whole of a `termios`, comparable.
public struct TerminalMode: Hashable, Sendable {
    public var input: UInt32
    public var output: UInt32
    public var control: UInt32
    public var local: UInt32
    public var keys: [UInt8]
    private var line: UInt8
    private var speeds: [UInt32]

    init(_ mode: termios) {
        input = mode.c_iflag
        output = mode.c_oflag
        control = mode.c_cflag
        local = mode.c_lflag
        keys = withUnsafeBytes(of: mode.c_cc) { Array($0) }
        line = mode.c_line
        speeds = [mode.c_ispeed, mode.c_ospeed]
    }

    var termios: termios {
        var mode = Glibc.termios()
        mode.c_iflag = input
        mode.c_oflag = output
        mode.c_cflag = control
        mode.c_lflag = local
        mode.c_line = line
        withUnsafeMutableBytes(of: &mode.c_cc) { $0.copyBytes(from: keys) }
        mode.c_ispeed = speeds[0]
        mode.c_ospeed = speeds[1]
        return mode
    }

    /// Whether typed bytes are shown at once, and whether they are kept back until the line is complete.
    public var echoes: Bool { local & UInt32(ECHO) != 0 }
    public var waitsForLines: Bool { local & UInt32(ICANON) != 0 }
}
