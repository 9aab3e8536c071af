import BuiltInGuests
import Glibc
import VMBoot
import VMDevices
import VMHost
import VMMachine
import VMMigration

/// A side of a migration, from its start to the end of its machine.
struct PeerSession: Sendable {
    let stage: String
    let stallTimeout: Duration
    let guestArguments: [String]
    /// How long a source asks what has become of its guest, and a destination answers.
    private let rejoinTimeout = Duration.seconds(3)
    private let answerTimeout = Duration.seconds(6)

    func runSource(_ uri: MigrationURI) throws {
        var configuration = MachineConfiguration(guest: "dirty", arguments: guestArguments)
        configuration.memory = ByteSize(bytes: 24 << 20)
        guard let image = BuiltInGuest(named: "dirty") else { return }
        let machine = try Machine(
            configuration, image: GuestImage(name: "dirty", bytes: image.bytes), console: StandardOutput())
        try machine.start()
        try pumpInput(into: machine)
        // The guest is at work by then.
        usleep(100_000)
        let migration = try OutgoingMigration(
            machine, to: uri, MigrationParameters(stallTimeout: stallTimeout, rejoinTimeout: rejoinTimeout),
            onStage: { reach($0.rawValue) })
        let mover = try HostThread.start(stackSize: 256 << 10) {
            do throws(MigrationError) {
                try migration.run()
                Marker.write("handed over")
            } catch .inDoubt(let error) {
                Marker.write("in doubt: \(error)")
            } catch {
                Marker.write("runs on: \(error)")
            }
        }
        let outcome = machine.wait().outcome
        pthread_join(mover, nil)
        Marker.write("ended: \(outcome)")
    }

    func runDestination(_ uri: MigrationURI) throws {
        let migration = try IncomingMigration(
            at: uri, stallTimeout: stallTimeout, answerTimeout: answerTimeout,
            onNotice: { Marker.write("notice: \($0)") },
            onStage: { reach($0.rawValue) })
        Marker.write("listening")
        let machine: Machine
        do throws(MigrationError) {
            machine = try migration.receive { (model) throws(MachineError) in
                try Machine(restoring: model, console: StandardOutput())
            }
        } catch {
            Marker.write("no guest: \(error)")
            return
        }
        Marker.write("has the guest")
        try pumpInput(into: machine)
        Marker.write("ended: \(machine.wait().outcome)")
        try? migration.waitForMemory()
    }

    private func reach(_ name: String) {
        guard name == stage else { return }
        Marker.write("at \(name)")
        raise(SIGSTOP)
    }

    private func pumpInput(into machine: Machine) throws {
        let thread = try HostThread.start(stackSize: 256 << 10) {
            var byte: UInt8 = 0
            while read(STDIN_FILENO, &byte, 1) == 1 {
                while withUnsafeBytes(of: byte, machine.sendInput) == 0, !machine.hasEnded { usleep(1000) }
            }
        }
        pthread_detach(thread)
    }
}

/// What the guest prints.
private final class StandardOutput: ConsoleOutput {
    func write(_ bytes: UnsafeRawBufferPointer) {
        Marker.writeAll(bytes)
    }
}

/// What happens, told apart from what the guest prints.
enum Marker {
    static func write(_ text: String) {
        // In one call, so that nothing comes between.
        Array("\u{1}\(text)\u{2}".utf8).withUnsafeBytes(writeAll)
    }

    static func writeAll(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
