/// The processor's table of interrupt handlers, asked one question: could this vector have been delivered? Source: Intel
/// SDM volume 3, section 7.14, "Exception and Interrupt Handling in 64-bit Mode", and 7.10 to 7.12.
struct InterruptTable {
    let view: GuestView

    /// Why the handler of an exception could not be entered; nil where nothing in the table speaks against it.
    func obstacle(to vector: UInt8) -> String? {
        let cpu = view.cpu
        let table = cpu.special.idt
        let entrySize: UInt64 = cpu.mode == .real ? 4 : cpu.isLongModeActive ? 16 : 8
        let offset = UInt64(vector) * entrySize
        guard UInt64(table.limit) >= offset + entrySize - 1 else {
            return table.limit == 0
                ? "no interrupt table is loaded (IDT limit 0)"
                : "the interrupt table ends before vector \(vector) (IDT limit 0x\(String(table.limit, radix: 16)))"
        }
        let entry = table.base &+ offset
        guard let low = view.word(at: entry, size: Int(min(entrySize, 8))) else {
            return "the interrupt table's entry for vector \(vector), at \(view.name(entry)), is not mapped to memory"
        }
        if cpu.mode == .real { return nil }
        return obstacle(to: vector, gate: low, at: entry)
    }

    private func obstacle(to vector: UInt8, gate: UInt64, at entry: UInt64) -> String? {
        guard gate & 1 << 47 != 0 else {
            return "the interrupt table has no handler for vector \(vector) (not present)"
        }
        let type = gate >> 40 & 0xf
        guard type == 0xe || type == 0xf || (!view.cpu.isLongModeActive && [5, 6, 7].contains(type)) else {
            return "the interrupt table's entry for vector \(vector) is no interrupt gate (type \(type))"
        }
        guard gate >> 16 & 0xfffc != 0 else {
            return "the interrupt table's entry for vector \(vector) has a null code segment"
        }
        if type == 5 { return nil }
        var handler = gate & 0xffff | (gate >> 48) << 16
        if view.cpu.isLongModeActive {
            guard let high = view.word(at: entry &+ 8, size: 8) else {
                return "the interrupt table's entry for vector \(vector) is not mapped to memory"
            }
            handler |= high << 32
        }
        guard !view.bytes(at: handler, count: 1).isEmpty else {
            return "the handler of vector \(vector), at \(view.name(handler)), is not mapped to memory"
        }
        return nil
    }
}
