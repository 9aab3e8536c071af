import BuiltInGuests
import Glibc
import Synchronization
import TestSupport
import Testing
import VMAddressSpace
import VMBoot
import VMDevices
import VMMachine
import VMMigration

/// A guest moved from one machine of this process to another.
struct MovedGuest {
    let failure: MigrationError?
    /// Why it did not arrive.
    let arrival: MigrationError?
    let progress: MigrationProgress
    let wasHandedOver: Bool
    /// Whether it printed more at the source after the migration.
    let ranOn: Bool

    /// - Parameter address: a byte there changes once the guest stands still and what it wrote is known, as if a write had been
    ///   overlooked.
    init(_ parameters: MigrationParameters, losing address: GuestAddress? = nil) throws {
        var parameters = parameters
        // One round is enough, and the only harvest is that of the switch-over: so little is written meanwhile.
        parameters.downtimeLimit = .seconds(3600)
        let folder = try TemporaryFolder()
        let uri = try MigrationURI("unix:" + folder.path("guest"))
        let destination = Destination(try IncomingMigration(at: uri))
        let console = CountingConsole()
        let machine = try Self.machine(console)
        try machine.start()
        defer {
            machine.stop()
            _ = machine.wait()
        }
        try Self.wait { console.count > 0 }
        let migration = try OutgoingMigration(machine, to: uri, parameters) { _, _ in
            if let address { try? machine.memory.store(UInt8(0x5a), at: address) }
        }
        let thread = TestThread { destination.receive() }
        var failure: MigrationError?
        do throws(MigrationError) { try migration.run() } catch { failure = error }
        thread.join()
        let count = console.count
        wasHandedOver = failure == nil && machine.hasEnded
        if !wasHandedOver { try Self.wait { console.count > count || machine.hasEnded } }
        ranOn = console.count > count
        self.failure = failure
        progress = migration.progress
        arrival = destination.failure
    }

    private static func machine(_ console: CountingConsole) throws -> Machine {
        var configuration = MachineConfiguration(guest: "dirty")
        configuration.memory = ByteSize(bytes: 64 << 20)
        configuration.arguments = ["--set", "1M", "--rate", "4M"]
        let image = try #require(BuiltInGuest(named: "dirty"))
        return try Machine(configuration, image: GuestImage(name: "dirty", bytes: image.bytes), console: console)
    }

    private static func wait(_ condition: () -> Bool) throws {
        let deadline = Deadline(.seconds(60))
        while !condition() {
            try #require(!deadline.hasPassed)
            usleep(1000)
        }
    }
}

/// The machine that the guest comes to. It is stopped as soon as it has the guest.
private final class Destination: Sendable {
    private let migration: IncomingMigration
    private let noted = Mutex<MigrationError?>(nil)

    init(_ migration: IncomingMigration) {
        self.migration = migration
    }

    var failure: MigrationError? { noted.withLock(\.self) }

    func receive() {
        do throws(MigrationError) {
            let machine = try migration.receive { (model) throws(MachineError) in
                try Machine(restoring: model, console: CountingConsole())
            }
            machine.stop()
            _ = machine.wait()
        } catch {
            noted.withLock { $0 = error }
        }
    }
}

/// Counts what the guest prints.
private final class CountingConsole: ConsoleOutput {
    private let printed = Atomic<Int>(0)

    var count: Int { printed.load(ordering: .relaxed) }

    func write(_ bytes: UnsafeRawBufferPointer) {
        printed.wrappingAdd(bytes.count, ordering: .relaxed)
    }
}
