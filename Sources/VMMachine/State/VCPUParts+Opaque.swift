import KVM
import VMState

/// The XSAVE area, in the processor's own layout.
struct SavedXSAVE: SavedPart {
    static let kind = "vcpu.xsave"
    static let version: UInt32 = 1
    /// Far above that of any processor.
    private static let largestArea = 1 << 20

    var area: [UInt8] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.bytes("area", &area, count: 0...Self.largestArea)
    }

    /// As large as the target's.
    /// - Returns: nil where the rest of it has something that would be lost.
    func resized(to size: Int) -> [UInt8]? {
        guard area.dropFirst(size).allSatisfy({ $0 == 0 }) else { return nil }
        return area.prefix(size) + [UInt8](repeating: 0, count: max(0, size - area.count))
    }
}

/// The x87 and SSE registers, of a host that does not tell the XSAVE area.
struct SavedFPU: SavedPart {
    static let kind = "vcpu.fpu"
    static let version: UInt32 = 1

    var value = FPUState()

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        var bytes = withUnsafeBytes(of: value) { Array($0) }
        try archive.bytes("state", &bytes, count: bytes.count...bytes.count)
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
    }
}

/// XCR0 and its kin.
struct SavedXCRs: SavedPart {
    static let kind = "vcpu.xcrs"
    static let version: UInt32 = 1

    /// Number and value of each.
    var registers: [UInt64] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.numbers("registers", &registers, count: 0...32)
    }

    init() {}

    init(_ value: ExtendedControlRegisters) {
        withUnsafeBytes(of: value.xcrs) { bytes in
            let all = bytes.bindMemory(to: ExtendedControlRegister.self)
            for register in all.prefix(Int(value.nr_xcrs)) { registers += [UInt64(register.xcr), register.value] }
        }
    }

    var value: ExtendedControlRegisters {
        var value = ExtendedControlRegisters()
        value.nr_xcrs = UInt32(registers.count / 2)
        withUnsafeMutableBytes(of: &value.xcrs) { bytes in
            let all = bytes.bindMemory(to: ExtendedControlRegister.self)
            for index in 0..<(registers.count / 2) {
                all[index].xcr = UInt32(truncatingIfNeeded: registers[2 * index])
                all[index].value = registers[2 * index + 1]
            }
        }
        return value
    }
}

/// The registers of the in-kernel local APIC.
struct SavedLAPIC: SavedPart {
    static let kind = "vcpu.lapic"
    static let version: UInt32 = 1

    var registers: [UInt8] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.bytes("registers", &registers, count: 1024...1024)
    }
}
