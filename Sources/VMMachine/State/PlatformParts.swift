import KVM
import VMState

/// One of the interrupt controllers that the kernel has beside the local APICs.
struct SavedIRQChip: SavedPart {
    static let kind = "irqchip"
    static let version: UInt32 = 1

    var state: [UInt8] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.bytes("state", &state, count: 0...512)
    }
}

/// The 8254 timer in the kernel.
struct SavedPIT: SavedPart {
    static let kind = "pit"
    static let version: UInt32 = 1

    var state: [UInt8] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.bytes("state", &state, count: 0...512)
    }
}

/// The paravirtual clock.
struct SavedClock: SavedPart {
    static let kind = "clock"
    static let version: UInt32 = 1

    var nanoseconds: UInt64 = 0

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("nanoseconds", &nanoseconds)
    }
}
