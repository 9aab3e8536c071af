import Glibc
import Synchronization
import VMMachine

/// The thread that carries standard input to the guest and signals to the machine, while the main thread waits for the
/// guest.
final class ControlThread: Sendable {
    /// How long a guest has to run, in milliseconds, without anything for this thread to do, for what only its start
    /// needed to be let go of.
    private static let settlingTime: Int32 = 50

    /// Says that the serial port has room for input again.
    let inputSpace: WakePipe
    private let signals: WakePipe
    private let quit: WakePipe
    private let received = Atomic<Int32>(0)

    /// From now on the signals that end a run do so in order, once it has begun.
    init() throws(Failure) {
        guard let inputSpace = WakePipe(), let signals = WakePipe(), let quit = WakePipe() else {
            throw Failure(.hostFailure, "cannot make a pipe; raise the limit on open files (ulimit -n)")
        }
        self.inputSpace = inputSpace
        self.signals = signals
        self.quit = quit
        EndingSignals.forward(to: signals)
        // Writing to a closed pipe is then an error that is reported.
        signal(SIGPIPE, SIG_IGN)
    }

    /// The signal that ended the run, or that Ctrl-A X stands for.
    var receivedSignal: Int32? {
        let signal = received.load(ordering: .acquiring)
        return signal == 0 ? nil : signal
    }

    /// Stops the machine without a signal. Any thread may call it.
    func requestEnd() {
        signals.signal(0)
    }

    /// Runs `body` with the thread at work for this machine.
    func run<Result>(_ machine: Machine, _ body: () throws(MachineError) -> Result) throws(Failure) -> Result {
        let thread = try start(machine)
        // Nobody waits for it to end: it may be reading input that never comes.
        pthread_detach(thread)
        TerminalMode.makeRaw()
        defer {
            quit.signal()
            TerminalMode.restore()
            EndingSignals.stopForwarding()
        }
        do throws(MachineError) {
            return try body()
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
    }

    private func start(_ machine: Machine) throws(Failure) -> pthread_t {
        let context = Unmanaged.passRetained(Context(thread: self, machine: machine))
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { pointer in
                // SAFETY: balances the retain above: each thread is given one context, and takes it here.
                let context = Unmanaged<Context>.fromOpaque(pointer!).takeRetainedValue()
                context.thread.loop(context.machine)
                return nil
            }, context.toOpaque())
        guard error == 0 else {
            context.release()
            throw Failure(.hostFailure, "cannot start a thread (errno \(error)); raise the limit on processes")
        }
        return thread
    }

    private func loop(_ machine: Machine) {
        var isSettled = false
        var input = InputPump(isTerminal: TerminalMode.isInteractive)
        while true {
            var descriptors = [
                pollfd(fd: quit.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: inputSpace.descriptor, events: Int16(POLLIN), revents: 0),
                // A negative descriptor is one that poll(2) skips.
                pollfd(fd: input.wantsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, nfds_t(descriptors.count), isSettled ? -1 : Self.settlingTime)
            if ready == 0 {
                isSettled = true
                ProgramPages.release()
            }
            guard ready > 0 else { continue }
            if descriptors[0].revents != 0 { return }
            if descriptors[1].revents != 0, let number = signals.take().first { end(machine, Int32(number)) }
            if descriptors[2].revents != 0 { _ = inputSpace.take() }
            let hasInput = descriptors[3].revents != 0
            if input.pump(into: machine, hasInput: hasInput) == .quit { end(machine, SIGINT) }
        }
    }

    /// - Parameter signal: 0 for an end that no signal asked for.
    private func end(_ machine: Machine, _ signal: Int32) {
        _ = received.compareExchange(expected: 0, desired: signal, ordering: .acquiringAndReleasing)
        machine.stop()
    }

    private final class Context: Sendable {
        let thread: ControlThread
        let machine: Machine

        init(thread: ControlThread, machine: Machine) {
            self.thread = thread
            self.machine = machine
        }
    }
}
