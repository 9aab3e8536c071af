import BuiltInGuests
import KVM
import TestSupport
import Testing
import VMBoot
import VMMachine

@Suite struct ConfigurationErrorTests {
    private func key(_ change: (inout MachineConfiguration) -> Void) -> MachineConfiguration.CodingKeys? {
        var configuration = MachineConfiguration(guest: "hello")
        change(&configuration)
        do {
            _ = try Machine(
                configuration, image: GuestImage(name: "hello", bytes: BuiltInGuest(named: "hello")!.bytes),
                console: CollectingConsole())
            return nil
        } catch MachineError.configuration(let key, let message) {
            #expect(!message.isEmpty)
            return key
        } catch {
            return nil
        }
    }

    @Test func whatNoHostCanDoIsRefusedByItsKey() {
        #expect(key { $0.memory = ByteSize(bytes: 0) } == .memory)
        #expect(key { $0.memory = ByteSize(bytes: 4097) } == .memory)
        #expect(key { $0.cpus = 0 } == .cpus)
        #expect(key { $0.cpus = -1 } == .cpus)
        #expect(
            key {
                $0.irqchip = .none
                $0.cpus = 2
            } == .irqchip)
        #expect(
            key {
                $0.irqchip = .split
                $0.pit = true
            } == .pit)
    }

    @Test(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)))
    func whatThisHostCannotDoIsRefusedByItsKey() {
        #expect(key { $0.cpus = 255 } == .cpus)
        #expect(key { $0.memory = ByteSize(bytes: 1 << 62) } == .memory)
    }

    @Test func aMissingImageIsABootError() {
        #expect {
            _ = try Machine(MachineConfiguration(guest: "/nonexistent"), console: CollectingConsole())
        } throws: { error in
            guard case MachineError.boot(let error)? = error as? MachineError else { return false }
            return error.kind == .noSuchInput
        }
    }
}
