import VMAddressSpace
import VMBoot
import VMMemory

/// A stopped guest through the eyes of one of its CPUs: what its addresses mean, hold and are called.
struct GuestView: Sendable {
    let cpu: CPUSnapshot
    let memory: GuestMemory
    let symbols: SymbolTable?

    func walk(_ linear: UInt64) -> PageWalk {
        PageWalk(linear, cpu: cpu) { address, size in
            if size == 8 { return try? memory.load(GuestAddress(address), as: UInt64.self) }
            return (try? memory.load(GuestAddress(address), as: UInt32.self)).map(UInt64.init)
        }
    }

    /// Bytes at a linear address, as many as there are up to `count`: fewer where a page is not mapped or not RAM.
    func bytes(at linear: UInt64, count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let address = cpu.wrapped(linear &+ UInt64(bytes.count))
            let toPageEnd = Int(PageSize.size4K.bytes - address & PageSize.size4K.mask)
            let piece = min(count - bytes.count, toPageEnd)
            guard case .mapped(let physical, _) = walk(address).result,
                let read = try? memory.read(GuestAddress(physical), count: piece)
            else { break }
            bytes += read
        }
        return bytes
    }

    /// A little-endian number of up to 8 bytes.
    func word(at linear: UInt64, size: Int) -> UInt64? {
        let bytes = bytes(at: linear, count: size)
        guard bytes.count == size else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Two such numbers, one after the other.
    func pair(at linear: UInt64, size: Int) -> (UInt64, UInt64)? {
        let bytes = bytes(at: linear, count: 2 * size)
        guard bytes.count == 2 * size else { return nil }
        let numbers = [bytes.prefix(size), bytes.suffix(size)].map { $0.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        return (numbers[0], numbers[1])
    }

    /// Whether there is a byte of RAM behind a linear address.
    func isReadable(_ linear: UInt64) -> Bool {
        !bytes(at: linear, count: 1).isEmpty
    }

    func hasRAM(at physical: UInt64) -> Bool {
        memory.contains(GuestAddress(physical), count: 1)
    }

    /// Why an access of the processor's to a linear address fails, as the predicate of a sentence about that address; nil
    /// where it does not. A page without RAM behind it is not a fault on any processor, yet nothing good comes of it.
    /// - Parameter level: the privilege level of the access; the CPU's own where nil.
    func objection(to access: PageWalk.Access, at linear: UInt64, level: UInt8? = nil) -> String? {
        let walk = walk(cpu.wrapped(linear))
        if let objection = walk.objection(to: access, by: cpu, level: level) { return objection }
        guard case .mapped(let physical, _) = walk.result, !hasRAM(at: physical) else { return nil }
        return "has no memory behind it (guest-physical \(Hex.short(physical)))"
    }

    /// `0x100020 (level_three+0x4)`, or the address alone.
    func name(_ address: UInt64) -> String {
        let hex = Hex.short(address)
        guard let symbol = symbols?.symbol(at: address) else { return hex }
        return "\(hex) (\(symbol.name)+\(Hex.short(symbol.offset)))"
    }
}
