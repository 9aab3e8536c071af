import KVM
import VMState

/// The model-specific registers that the host lists as guest state.
struct SavedMSRs: SavedPart {
    static let kind = "vcpu.msrs"
    static let version: UInt32 = 1

    /// Index and value of each.
    private var registers: [UInt64] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.numbers("registers", &registers, count: 0...8192)
    }

    init() {}

    init(_ entries: [MSREntry]) {
        for entry in entries { registers += [UInt64(entry.index), entry.data] }
    }

    var entries: [MSREntry] {
        stride(from: 0, to: registers.count & ~1, by: 2).map { index in
            MSREntry(index: UInt32(truncatingIfNeeded: registers[index]), reserved: 0, data: registers[index + 1])
        }
    }
}

/// What the processor's CPUID instruction returns, and what else of it cannot change while it runs.
struct SavedProcessorModel: SavedPart {
    static let kind = "vcpu.model"
    static let version: UInt32 = 1

    /// Seven numbers for each leaf: function, index, flags, EAX, EBX, ECX, EDX.
    private var leaves: [UInt64] = []
    /// Of the time-stamp counter; 0 where it is not known.
    var tscKilohertz: UInt32 = 0
    /// Which model-specific registers hold its state.
    private var msrNumbers: [UInt64] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.numbers("cpuid", &leaves, count: 0...(7 * 256))
        try archive.number("tsc kilohertz", &tscKilohertz)
        try archive.numbers("msrs", &msrNumbers, count: 0...4096)
        guard leaves.count.isMultiple(of: 7), leaves.allSatisfy({ $0 <= UInt32.max }) else {
            throw archive.refusal("cpuid", "is no list of leaves")
        }
        guard msrNumbers.allSatisfy({ $0 <= UInt32.max }) else {
            throw archive.refusal("msrs", "has numbers that no register has")
        }
    }

    init() {}

    init(_ entries: [CPUIDEntry], tscKilohertz: UInt32, msrs: [UInt32]) {
        for entry in entries {
            leaves += [
                entry.function, entry.index, entry.flags, entry.eax, entry.ebx, entry.ecx, entry.edx,
            ].map(UInt64.init)
        }
        self.tscKilohertz = tscKilohertz
        msrNumbers = msrs.map(UInt64.init)
    }

    var cpuid: [CPUIDEntry] {
        stride(from: 0, to: leaves.count, by: 7).map { index in
            // `exchange` has bounded all of them.
            func number(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: leaves[index + offset]) }
            var entry = CPUIDEntry()
            (entry.function, entry.index, entry.flags) = (number(0), number(1), number(2))
            (entry.eax, entry.ebx, entry.ecx, entry.edx) = (number(3), number(4), number(5), number(6))
            return entry
        }
    }

    var msrs: [UInt32] { msrNumbers.map { UInt32(truncatingIfNeeded: $0) } }
}
