import Glibc
import Synchronization

/// Puts the terminal on standard input into raw mode, and back. Bytes go to the guest as they are typed, unechoed; only
/// the interrupt key keeps its meaning, and output keeps its line ends.
enum TerminalMode {
    /// The mode to go back to, while the terminal is raw.
    private static let saved = Mutex<termios?>(nil)

    /// Whether standard input is a terminal that this process may read: one whose foreground process group it is in.
    static var isInteractive: Bool {
        isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp()
    }

    /// Does nothing where standard input is no such terminal.
    static func makeRaw() {
        guard isInteractive else { return }
        saved.withLock { saved in
            var mode = termios()
            guard saved == nil, tcgetattr(STDIN_FILENO, &mode) == 0 else { return }
            saved = mode
            mode.c_iflag &= ~tcflag_t(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
            mode.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN)
            // Of the keys that send signals, only the interrupt key is left.
            withUnsafeMutableBytes(of: &mode.c_cc) { keys in
                keys[Int(VQUIT)] = 0
                keys[Int(VSUSP)] = 0
                keys[Int(VMIN)] = 1
                keys[Int(VTIME)] = 0
            }
            tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        }
        // For the ways out that do not come by the end of the run.
        atexit { TerminalMode.restore() }
    }

    static func restore() {
        saved.withLock { mode in
            guard var before = mode else { return }
            mode = nil
            // In the background by now, the process would be stopped for it.
            signal(SIGTTOU, SIG_IGN)
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
        }
    }
}
