import VMAddressSpace

/// The RAM as a PC's firmware reports it: 640 KiB of conventional memory, a reserved range up to 1 MiB, and
/// everything above.
struct BIOSMemoryMap {
    private static let conventionalEnd: UInt64 = 0xa_0000
    private static let extendedStart: UInt64 = 0x10_0000

    struct Entry {
        let range: AddressRange
        let isUsable: Bool
    }

    /// Ascending and apart.
    let entries: [Entry]

    init(_ ram: GuestRAM) {
        let pieces = [
            (AddressRange(0..<Self.conventionalEnd), true),
            (AddressRange(Self.conventionalEnd..<Self.extendedStart), false),
            (AddressRange(from: GuestAddress(Self.extendedStart), through: GuestAddress(.max)), true),
        ]
        var entries: [Entry] = []
        for memory in ram.ranges {
            for (piece, isUsable) in pieces {
                if let range = piece.flatMap(memory.intersection) {
                    entries.append(Entry(range: range, isUsable: isUsable))
                }
            }
        }
        self.entries = entries
    }

    /// Conventional memory from address 0 on, in KiB; at most 640.
    var lowerKilobytes: UInt32 { kilobytes(from: 0) }

    /// Memory from 1 MiB up to the first hole, in KiB.
    var upperKilobytes: UInt32 { kilobytes(from: Self.extendedStart) }

    private func kilobytes(from start: UInt64) -> UInt32 {
        let first = entries.first { $0.isUsable && $0.range.start == GuestAddress(start) }
        return UInt32(clamping: (first?.range.count ?? 0) / 1024)
    }
}
