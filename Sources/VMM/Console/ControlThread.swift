import Glibc
import Synchronization
import VMHost
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
    /// Who gets input.
    private let machine = Monitor<Machine?>(nil)

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
    /// - Parameter onEnd: called, beside stopping the machine, where the run is to end.
    func run<Result>(
        _ machine: Machine, onEnd: @escaping @Sendable () -> Void, _ body: () throws(MachineError) -> Result
    ) throws(Failure) -> Result {
        attach(machine)
        return try run(onEnd: onEnd) { () throws(Failure) in
            do throws(MachineError) {
                return try body()
            } catch {
                throw Failure(ExitStatus(error), "\(error)")
            }
        }
    }

    /// From now on this machine gets input, and is stopped by signals.
    func attach(_ machine: Machine) {
        self.machine.withLock { $0 = machine }
        inputSpace.signal()
    }

    /// Runs `body` with the thread at work, perhaps before there is a machine.
    /// - Parameter onEnd: called, beside stopping the machine, where the run is to end.
    func run<Result>(
        onEnd: @escaping @Sendable () -> Void, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let thread = try start(onEnd)
        // Nobody waits for it to end: it may be reading input that never comes.
        pthread_detach(thread)
        TerminalMode.makeRaw()
        defer {
            quit.signal()
            TerminalMode.restore()
            EndingSignals.stopForwarding()
        }
        return try body()
    }

    private func start(_ onEnd: @escaping @Sendable () -> Void) throws(Failure) -> pthread_t {
        let context = Unmanaged.passRetained(Context(thread: self, onEnd: onEnd))
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { pointer in
                // SAFETY: balances the retain above: each thread is given one context, and takes it here.
                let context = Unmanaged<Context>.fromOpaque(pointer!).takeRetainedValue()
                context.thread.loop(context.onEnd)
                return nil
            }, context.toOpaque())
        guard error == 0 else {
            context.release()
            throw Failure(.hostFailure, "cannot start a thread (errno \(error)); raise the limit on processes")
        }
        return thread
    }

    private func loop(_ onEnd: @Sendable () -> Void) {
        var isSettled = false
        var input = InputPump(isTerminal: TerminalMode.isInteractive)
        while true {
            let machine = machine.withLock(\.self)
            var descriptors = [
                pollfd(fd: quit.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: inputSpace.descriptor, events: Int16(POLLIN), revents: 0),
                // A negative descriptor is one that poll(2) skips.
                pollfd(fd: machine != nil && input.wantsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, nfds_t(descriptors.count), isSettled ? -1 : Self.settlingTime)
            if ready == 0 {
                isSettled = true
                ProgramPages.release()
            }
            guard ready > 0 else { continue }
            if descriptors[0].revents != 0 { return }
            if descriptors[1].revents != 0, let number = signals.take().first { end(Int32(number), onEnd) }
            if descriptors[2].revents != 0 { _ = inputSpace.take() }
            let hasInput = descriptors[3].revents != 0
            if let machine, input.pump(into: machine, hasInput: hasInput) == .quit { end(SIGINT, onEnd) }
        }
    }

    /// - Parameter signal: 0 for an end that no signal asked for.
    private func end(_ signal: Int32, _ onEnd: @Sendable () -> Void) {
        _ = received.compareExchange(expected: 0, desired: signal, ordering: .acquiringAndReleasing)
        machine.withLock(\.self)?.stop()
        onEnd()
    }

    private final class Context: Sendable {
        let thread: ControlThread
        let onEnd: @Sendable () -> Void

        init(thread: ControlThread, onEnd: @escaping @Sendable () -> Void) {
            self.thread = thread
            self.onEnd = onEnd
        }
    }
}
