import VMAddressSpace
import VMMachine
import VMRegions

/// Ranges of guest-physical addresses and what is there, as columns of a table.
enum PieceText {
    /// The range, its size, what the guest may do there, the memory, and the region.
    static func columns(_ piece: RegionInspection.Piece) -> [String] {
        columns(piece.range) + (piece.memory.map(columns) ?? ["---", "no memory"]) + [piece.region]
    }

    /// What the guest may do, and the memory.
    static func columns(_ memory: RegionInspection.Memory) -> [String] {
        [
            flags(writable: memory.writable, executable: memory.executable),
            place(memory.backing, memory.backingOffset) + (memory.prefetch ? ", prefetch" : ""),
        ]
    }

    /// The range and its size.
    static func columns(_ range: InspectedRange) -> [String] {
        ["\(range)", size(range.range.count)]
    }

    static func size(_ bytes: UInt64) -> String { "\(ByteSize(bytes: bytes))" }

    static func place(_ backing: String, _ offset: UInt64) -> String { "\(backing)+\(GuestAddress(offset))" }

    static func flags(_ parameters: MapParameters) -> String {
        flags(writable: parameters.isWritable, executable: parameters.isExecutable)
            + (parameters.prefetch ? ", prefetch" : "")
    }

    static func flags(writable: Bool, executable: Bool) -> String {
        "r" + (writable ? "w" : "-") + (executable ? "x" : "-")
    }
}
