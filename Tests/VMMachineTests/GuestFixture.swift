import CKVM
import VMAddressSpace
import VMBoot
import VMMemory

@testable import VMMachine

/// A stopped guest made of whole cloth: memory, page tables and registers as a test wants them.
struct GuestFixture {
    let memory: GuestMemory
    var registers = kvm_regs()
    var special = kvm_sregs()
    var symbols: SymbolTable? = nil
    var physicalAddressBits = 52

    static let gdt: UInt64 = 0xc000
    static let idt: UInt64 = 0xb000
    static let taskState: UInt64 = 0xd000

    /// One MiB of RAM and a processor in 64-bit mode without any page tables yet.
    init() throws {
        memory = try GuestMemory(anonymous: [MemoryRange(start: GuestAddress(0), count: 1 << 20)])
        special.cr0 = 1 << 31 | 1 << 16 | 1
        special.cr3 = 0x1000
        special.cr4 = 1 << 5
        special.efer = 1 << 10 | 1 << 8
        special.cs.l = 1
    }

    /// One in 64-bit mode with its first MiB mapped, at 0x8000 with this code, its stack below 0x9000.
    init(code: [UInt8]) throws {
        try self.init()
        try mapIdentity()
        registers.rip = 0x8000
        registers.rsp = 0x9000
        registers.rflags = 2
        try memory.write(code, at: .init(0x8000))
    }

    var cpu: CPUSnapshot {
        var cpu = CPUSnapshot(index: 0, registers: registers, special: special)
        cpu.physicalAddressBits = physicalAddressBits
        return cpu
    }
    var view: GuestView { GuestView(cpu: cpu, memory: memory, symbols: symbols) }
    /// What the report says of a triple fault.
    var sentence: String { Diagnosis(view: view).tripleFault() }

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
        try put(0x2007, at: 0x1000)
        try put(0x3007, at: 0x2000)
        try put(0x4007, at: 0x3000)
        for page in 0..<256 as Range<UInt64> { try put(page << 12 | 3, at: 0x4000 + page * 8) }
    }

    /// The entry of a page of the first MiB.
    func setPage(_ address: UInt64, _ entry: UInt64) throws {
        try put(entry, at: 0x4000 + (address >> 12) * 8)
    }

    /// Kernel code at selector 8, data at 0x10; user data at 0x18, code at 0x20; 32-bit kernel code at 0x28.
    mutating func putGDT() throws {
        let entries: [UInt64] = [
            0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff,
            0x00cf_9b00_0000_ffff,
        ]
        for (index, entry) in entries.enumerated() { try put(entry, at: Self.gdt + UInt64(index) * 8) }
        special.gdt.base = Self.gdt
        special.gdt.limit = UInt16(entries.count * 8 - 1)
    }

    /// A GDT and an interrupt table whose every gate leads to 0xf000, where there is code.
    mutating func putHandlers(selector: UInt64 = 8, handler: UInt64 = 0xf000, interruptStack: UInt64 = 0) throws {
        try putGDT()
        special.idt.base = Self.idt
        special.idt.limit = 0xfff
        for vector in 0..<256 as Range<UInt64> {
            let low =
                handler & 0xffff | selector << 16 | interruptStack << 32 | 0x8e << 40 | (handler >> 16 & 0xffff) << 48
            try put(low, at: Self.idt + vector * 16)
            try put(handler >> 32, at: Self.idt + vector * 16 + 8)
        }
    }

    /// At CPL 3, with the code's page and the stack's open to it.
    mutating func enterUserMode() throws {
        special.ss.dpl = 3
        special.cs.dpl = 3
        try setPage(0x8000, 0x8007)
    }

    /// 32-bit protected mode with flat segments, paging off.
    mutating func enterProtectedMode() {
        special.efer = 0
        special.cr0 = 1
        special.cs.l = 0
        special.cs.db = 1
        special.cs.limit = .max
        special.ss.db = 1
        for path in [\kvm_sregs.ss, \.ds, \.es, \.fs, \.gs] {
            special[keyPath: path].limit = .max
            special[keyPath: path].type = 3
            special[keyPath: path].present = 1
        }
    }
}
