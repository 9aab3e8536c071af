import KVM
import VMAddressSpace
import VMBoot
import VMMemory

@testable import VMMachine

/// A machine with two processors that run the same code in real mode from the start, with 64 KiB of RAM at 0, and a
/// working segment at 0x20000 where it has none.
struct TwoProcessors {
    let machine: Machine

    static let segment: UInt64 = 0x2_0000
    /// Where each processor has a word for what it has to say, at the offset in DI. The boot's arguments are there before.
    private static let words: UInt64 = 0x500

    /// - Parameter code: is loaded at 0x7c00. At the start DI is four times the processor's number, and SI 4096 times.
    init(
        _ irqchip: MachineConfiguration.IRQChip, _ code: [UInt8],
        _ change: (inout MachineConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = MachineConfiguration(guest: "two", format: .flat16)
        configuration.memory = ByteSize(bytes: 0x1_0000)
        configuration.irqchip = irqchip
        configuration.cpus = 2
        configuration.timeout = TimeLimit("600s")
        change(&configuration)
        machine = try Machine(
            configuration, image: GuestImage(name: "two", bytes: code), console: CollectingConsole())
        var registers = try machine.processors[0].vcpu.generalRegisters()
        let special = try machine.processors[0].vcpu.specialRegisters()
        for (index, processor) in machine.processors.enumerated() {
            registers.rdi = 4 * UInt64(index)
            registers.rsi = 4096 * UInt64(index)
            if index > 0 {
                var own = try processor.vcpu.specialRegisters()
                (own.cs, own.ds, own.es, own.ss) = (special.cs, special.ds, special.es, special.ss)
                try processor.vcpu.setSpecialRegisters(own)
                try processor.vcpu.setMPState(.runnable)
            }
            try processor.vcpu.setGeneralRegisters(registers)
            try machine.memory.store(UInt32(0), at: GuestAddress(Self.words + 4 * UInt64(index)))
        }
    }

    /// What the processors have said.
    var said: [UInt32] {
        get throws {
            try machine.processors.indices.map {
                try machine.memory.load(GuestAddress(Self.words + 4 * UInt64($0)), as: UInt32.self)
            }
        }
    }

    /// Waits until both have said something that `isGood`, or the run has ended, or for half a minute.
    /// - Returns: whether they have.
    func wait(until isGood: (UInt32) -> Bool) async throws -> Bool {
        let start = ContinuousClock.now
        while !machine.control.hasEnded, .now - start < .seconds(30) {
            if try said.allSatisfy(isGood) { return true }
            try await Task.sleep(for: .microseconds(100))
        }
        return false
    }
}
