import BuiltInGuests
import Glibc
import TestSupport
import VMBoot
import VMHost
import VMMachine
import Testing

/// A machine with a thread that waits for its end, as a program has it.
final class LiveMachine: Sendable {
    let machine: Machine
    let console: SharedConsole
    private let ending = Ending()
    private let waiter = Monitor<pthread_t?>(nil)

    /// Apart, as the thread outlives nobody else's reference.
    private final class Ending: Sendable {
        let told = Monitor<Outcome?>(nil)
    }

    /// A guest that has been started.
    convenience init(
        _ guest: String, _ arguments: [String] = [], console: SharedConsole = SharedConsole(),
        _ change: (inout MachineConfiguration) throws -> Void = { _ in }
    ) throws {
        var configuration = MachineConfiguration(guest: guest, arguments: arguments)
        configuration.memory = ByteSize(bytes: 24 << 20)
        configuration.timeout = Self.timeout
        try change(&configuration)
        let image = try #require(BuiltInGuest(named: guest))
        let machine = try Machine(configuration, image: GuestImage(name: guest, bytes: image.bytes), console: console)
        try machine.start()
        try self.init(started: machine, console)
    }

    /// Against hangs alone.
    static let timeout = TimeLimit("120s")

    init(started machine: Machine, _ console: SharedConsole) throws {
        self.machine = machine
        self.console = console
        let ending = ending
        let thread = try HostThread.start(stackSize: 1 << 20) {
            let outcome = machine.wait().outcome
            ending.told.change { $0 = outcome }
        }
        waiter.withLock { $0 = thread }
    }

    deinit {
        machine.stop()
        _ = end
    }

    /// How it ended, once it has.
    var end: Outcome {
        let outcome = ending.told.wait { $0 }
        if let thread = waiter.withLock({ $0.take() }) { pthread_join(thread, nil) }
        return outcome
    }

    var hasEnded: Bool { ending.told.withLock { $0 != nil } }

    func send(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, !hasEnded {
            rest = rest.dropFirst(rest.withUnsafeBytes { machine.sendInput($0) })
            if !rest.isEmpty { usleep(100) }
        }
    }
}

extension Outcome {
    /// Whether the guest ended as guests do that are content.
    var isGood: Bool {
        switch self {
        case .halted, .poweredOff: true
        default: false
        }
    }

    var isHandedOver: Bool {
        if case .handedOver = self { true } else { false }
    }
}
