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
    private func machine() throws -> Machine { try #require(NestedSwitch.ofHost).machine() }

    private func isNamed(_ error: MachineError) -> Bool {
        guard case .unsavable(1, _) = error, let use = NestedSwitch.ofHost else { return false }
        return "\(error)".contains("nested virtualization") && "\(error)".contains(use.rawValue)
    }

    @Test(
        "Its model and its state are not to be had, and whoever asks is told why",
        .enabled(if: NestedSwitch.ofHost != nil, NestedSwitch.lack))
    func state() throws {
        let machine = try machine()
        for save in [machine.saveModel, machine.saveState] {
            let error = #expect(throws: MachineError.self) { try save() }
            #expect(error.map(isNamed) ?? false)
        }
    }

    @Test(
        "It is not moved, and nobody hears of the attempt", .enabled(if: NestedSwitch.ofHost != nil, NestedSwitch.lack))
    func migration() throws {
        let machine = try machine()
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

    @Test("There is no snapshot of it", .enabled(if: NestedSwitch.ofHost != nil, NestedSwitch.lack))
    func snapshot() throws {
        let machine = try machine()
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

/// What a vCPU has turned on whose guest runs guests.
private enum NestedSwitch: String, CaseIterable {
    case svm = "EFER.SVME"
    case vmx = "CR4.VMXE"

    /// What the host lets a guest have; nil for nothing.
    static let ofHost = allCases.first { use in (try? use.machine()) != nil }
    static let lack: Comment = "needs a host whose KVM lets guests have nested virtualization (EFER.SVME or CR4.VMXE)"

    /// A machine that has not been started, whose second vCPU has it turned on.
    /// - Throws: where the host does not let it.
    func machine() throws -> Machine {
        var configuration = MachineConfiguration(guest: "smp")
        configuration.cpus = 2
        let image = try #require(BuiltInGuest(named: "smp"))
        let machine = try Machine(
            configuration, image: GuestImage(name: "smp", bytes: image.bytes), console: SharedConsole())
        let vcpu = machine.processors[1]
        var special = try vcpu.vcpu.specialRegisters()
        switch self {
        case .svm: special.efer |= 1 << 12
        case .vmx: special.cr4 |= 1 << 13
        }
        try vcpu.vcpu.setSpecialRegisters(special)
        return machine
    }
}
