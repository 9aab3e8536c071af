import KVM
import TestSupport
import Testing
import VMState

@testable import VMMachine

@Suite(
    "Machines of other hosts", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct OtherHostTests {
    /// A machine made of another's model, whose time-stamp counter is said to run at another frequency.
    private func machine(_ change: (UInt64) -> UInt64) throws -> Machine {
        let model = try makeMachine("hello").saveModel()
        let changed = MachineState(
            model.records.map { record in
                let fields = record.fields.map { field in
                    guard field.name == "tsc kilohertz", case .number(let value) = field.value else { return field }
                    return StateField(field.name, .number(change(value)))
                }
                return StateRecord(
                    kind: record.kind, instance: record.instance, version: record.version, fields: fields)
            })
        return try Machine(restoring: changed, console: CollectingConsole())
    }

    @Test("A time-stamp counter of half the frequency runs at it, or is refused by name")
    func slower() throws {
        let system = try KVMSystem()
        guard system.has(.tscFrequency), try makeMachine("hello").processors[0].vcpu.tscKilohertz() > 0 else { return }
        if system.has(.tscControl) {
            var wanted: UInt64 = 0
            let slow = try machine {
                wanted = $0 / 2
                return wanted
            }
            #expect(try UInt64(slow.processors[0].vcpu.tscKilohertz()) == wanted)
            return
        }
        let error = #expect(throws: MachineError.self) { try machine { $0 / 2 } }
        guard case .hostLacks(let names) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(names.first?.contains("KVM_CAP_TSC_CONTROL") ?? false)
    }

    @Test("One that differs by as little as clocks do is the same")
    func nearlySame() throws {
        _ = try machine { $0 + $0 / 10_000 }
    }
}
