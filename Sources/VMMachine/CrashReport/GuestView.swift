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
            let address = linear &+ UInt64(bytes.count)
            let toPageEnd = 4096 - Int(address & 4095)
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

    func hasRAM(at physical: UInt64) -> Bool {
        memory.contains(GuestAddress(physical), count: 1)
    }

    /// `0x100020 (level_three+0x4)`, or the address alone.
    func name(_ address: UInt64) -> String {
        let hex = "0x" + String(address, radix: 16)
        guard let symbol = symbols?.symbol(at: address) else { return hex }
        return "\(hex) (\(symbol.name)+0x\(String(symbol.offset, radix: 16)))"
    }
}
