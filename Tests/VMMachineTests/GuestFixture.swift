import CKVM
import VMAddressSpace
import VMMemory

@testable import VMMachine

/// A stopped guest made of whole cloth: memory, page tables and registers as a test wants them.
struct GuestFixture {
    let memory: GuestMemory
    var registers = kvm_regs()
    var special = kvm_sregs()

    /// One MiB of RAM and a processor in 64-bit mode without any page tables yet.
    init() throws {
        memory = try GuestMemory(anonymous: [MemoryRange(start: GuestAddress(0), count: 1 << 20)!])
        special.cr0 = 1 << 31 | 1 << 16 | 1
        special.cr3 = 0x1000
        special.cr4 = 1 << 5
        special.efer = 1 << 10 | 1 << 8
        special.cs.l = 1
    }

    var cpu: CPUSnapshot { CPUSnapshot(index: 0, registers: registers, special: special) }
    var view: GuestView { GuestView(cpu: cpu, memory: memory, symbols: nil) }

    func put(_ value: UInt64, at address: UInt64) throws {
        try withUnsafeBytes(of: value.littleEndian) { bytes in try memory.write(Array(bytes), at: GuestAddress(address))
        }
    }

    func put32(_ value: UInt32, at address: UInt64) throws {
        try withUnsafeBytes(of: value.littleEndian) { bytes in try memory.write(Array(bytes), at: GuestAddress(address))
        }
    }

    /// Maps the first MiB to itself in 4 KiB pages: tables at 0x1000...0x4fff.
    func mapIdentity() throws {
        try put(0x2003, at: 0x1000)
        try put(0x3003, at: 0x2000)
        try put(0x4003, at: 0x3000)
        for page in 0..<256 as Range<UInt64> { try put(page << 12 | 3, at: 0x4000 + page * 8) }
    }
}
