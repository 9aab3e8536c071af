import BuiltInGuests
import Glibc
import KVM
import SystemPackage
import TestSupport
import Testing
import VMBoot
import VMMigration
import VMState

@testable import VMMachine

@Suite(
    "Guests that run guests of their own", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct NestedGuestTests {
    /// A machine that has not been started, whose second vCPU has SVM turned on; nil where the host does not let it.
    private func machine() throws -> Machine? {
        var configuration = MachineConfiguration(guest: "smp")
        configuration.cpus = 2
        let image = try #require(BuiltInGuest(named: "smp"))
        let machine = try Machine(
            configuration, image: GuestImage(name: "smp", bytes: image.bytes), console: SharedConsole())
        let vcpu = machine.processors[1]
        var special = try vcpu.vcpu.specialRegisters()
        special.efer |= 1 << 12
        guard (try? vcpu.vcpu.setSpecialRegisters(special)) != nil else { return nil }
        return machine
    }

    private func isNamed(_ error: MachineError) -> Bool {
        guard case .unsavable(1, _) = error else { return false }
        return "\(error)".contains("nested virtualization") && "\(error)".contains("EFER.SVME")
    }

    @Test("Its model and its state are not to be had, and whoever asks is told why")
    func state() throws {
        guard let machine = try machine() else { return }
        for save in [machine.saveModel, machine.saveState] {
            let error = #expect(throws: MachineError.self) { try save() }
            #expect(error.map(isNamed) ?? false)
        }
    }

    @Test("It is not moved, and nobody hears of the attempt")
    func migration() throws {
        guard let machine = try machine() else { return }
        let folder = try TemporaryFolder()
        let uri = try MigrationURI("unix:" + folder.path("socket"))
        let listener = try Listener(uri)
        let migration = try OutgoingMigration(machine, to: uri)
        let failure = Hop.failure { () throws(MigrationError) in try migration.run() }
        guard case .machine(let error) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(isNamed(error))
        let visit = #expect(throws: TransportError.self) { try listener.accept(deadline: .now) }
        #expect(visit == .timedOut(uri))
    }

    @Test("There is no snapshot of it")
    func snapshot() throws {
        guard let machine = try machine() else { return }
        let folder = try TemporaryFolder()
        let error = #expect(throws: MigrationError.self) {
            try MachineSnapshots(machine).take(FilePath(folder.path("snapshot")))
        }
        guard case .machine(let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(isNamed(reason))
        #expect(try TemporaryFolder.entries(folder.path).isEmpty)
    }

    @Test("State that says so of a guest is not restored", arguments: [("cr4", UInt64(1 << 13)), ("efer", 1 << 12)])
    func restored(_ name: String, _ bit: UInt64) throws {
        let image = try #require(BuiltInGuest(named: "hello"))
        let machine = try Machine(
            MachineConfiguration(guest: "hello"), image: GuestImage(name: "hello", bytes: image.bytes),
            console: SharedConsole())
        let state = try machine.saveState()
        let changed = MachineState(
            state.records.map { record in
                guard record.kind == "vcpu.special" else { return record }
                let fields = record.fields.map { field in
                    guard field.name == name, case .number(let value) = field.value else { return field }
                    return StateField(name, .number(value | bit))
                }
                return StateRecord(
                    kind: record.kind, instance: record.instance, version: record.version, fields: fields)
            })
        let error = #expect(throws: MachineError.self) { try machine.restoreState(changed) }
        #expect("\(String(describing: error))".contains("nested virtualization"))
        try machine.restoreState(state)
    }
}
