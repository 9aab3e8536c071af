import KVM
import VMState

/// RAX to R15, RIP and RFLAGS.
struct SavedGeneralRegisters: SavedPart {
    static let kind = "vcpu.registers"
    static let version: UInt32 = 1

    var value = GeneralRegisters()

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("rax", &value.rax)
        try archive.number("rbx", &value.rbx)
        try archive.number("rcx", &value.rcx)
        try archive.number("rdx", &value.rdx)
        try archive.number("rsi", &value.rsi)
        try archive.number("rdi", &value.rdi)
        try archive.number("rsp", &value.rsp)
        try archive.number("rbp", &value.rbp)
        try archive.number("r8", &value.r8)
        try archive.number("r9", &value.r9)
        try archive.number("r10", &value.r10)
        try archive.number("r11", &value.r11)
        try archive.number("r12", &value.r12)
        try archive.number("r13", &value.r13)
        try archive.number("r14", &value.r14)
        try archive.number("r15", &value.r15)
        try archive.number("rip", &value.rip)
        try archive.number("rflags", &value.rflags)
    }
}

/// Segments, descriptor tables, control registers, EFER, the APIC base, and the interrupt that is being injected.
struct SavedSpecialRegisters: SavedPart {
    static let kind = "vcpu.special"
    static let version: UInt32 = 1

    var value = SpecialRegisters()
    /// The page-directory pointers of PAE paging, where they are in force and the host tells them.
    var pageDirectoryPointers: [UInt64] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.segment("cs", &value.cs)
        try archive.segment("ds", &value.ds)
        try archive.segment("es", &value.es)
        try archive.segment("fs", &value.fs)
        try archive.segment("gs", &value.gs)
        try archive.segment("ss", &value.ss)
        try archive.segment("tr", &value.tr)
        try archive.segment("ldt", &value.ldt)
        try archive.number("gdt base", &value.gdt.base)
        try archive.number("gdt limit", &value.gdt.limit)
        try archive.number("idt base", &value.idt.base)
        try archive.number("idt limit", &value.idt.limit)
        try archive.number("cr0", &value.cr0)
        try archive.number("cr2", &value.cr2)
        try archive.number("cr3", &value.cr3)
        try archive.number("cr4", &value.cr4)
        try archive.number("cr8", &value.cr8)
        try archive.number("efer", &value.efer)
        try archive.number("apic base", &value.apic_base)
        let bitmap = value.interrupt_bitmap
        var interrupts = [bitmap.0, bitmap.1, bitmap.2, bitmap.3]
        try archive.numbers("interrupt", &interrupts, count: 4...4)
        value.interrupt_bitmap = (interrupts[0], interrupts[1], interrupts[2], interrupts[3])
        try archive.numbers("pdptrs", &pageDirectoryPointers, count: 0...4)
        guard pageDirectoryPointers.isEmpty || pageDirectoryPointers.count == 4 else {
            throw archive.refusal("pdptrs", "has \(pageDirectoryPointers.count) of 4")
        }
    }
}

extension StateArchive {
    /// Base, limit, selector, type, and the flags, as the processor keeps them.
    fileprivate mutating func segment(
        _ name: StaticString, _ segment: inout SpecialRegisters.Segment
    ) throws(StateError) {
        var numbers = [
            segment.base, UInt64(segment.limit), UInt64(segment.selector), UInt64(segment.type),
            UInt64(segment.present), UInt64(segment.dpl), UInt64(segment.db), UInt64(segment.s), UInt64(segment.l),
            UInt64(segment.g), UInt64(segment.avl), UInt64(segment.unusable),
        ]
        try self.numbers(name, &numbers, count: 12...12)
        guard numbers[1] <= UInt32.max, numbers[2] <= UInt16.max, numbers[3...].allSatisfy({ $0 <= UInt8.max }) else {
            throw refusal(name, "has numbers that are too large for a segment")
        }
        segment.base = numbers[0]
        segment.limit = UInt32(numbers[1])
        segment.selector = UInt16(numbers[2])
        segment.type = UInt8(numbers[3])
        segment.present = UInt8(numbers[4])
        segment.dpl = UInt8(numbers[5])
        segment.db = UInt8(numbers[6])
        segment.s = UInt8(numbers[7])
        segment.l = UInt8(numbers[8])
        segment.g = UInt8(numbers[9])
        segment.avl = UInt8(numbers[10])
        segment.unusable = UInt8(numbers[11])
    }
}
