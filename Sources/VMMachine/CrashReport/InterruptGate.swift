/// One entry of the interrupt table (Intel SDM volume 3, sections 7.11 and 7.14.1).
struct InterruptGate {
    enum Kind: UInt8 {
        case task = 5
        case interrupt16 = 6
        case trap16 = 7
        case interrupt = 14
        case trap = 15
    }

    let low: UInt64
    /// The second half, which only long mode has; 0 elsewhere.
    let high: UInt64

    var isPresent: Bool { low & 1 << 47 != 0 }
    var type: UInt8 { UInt8(low >> 40 & 0xf) }
    var isSystem: Bool { low & 1 << 44 == 0 }
    var privilegeLevel: UInt8 { UInt8(low >> 45 & 3) }
    var selector: UInt64 { low >> 16 & 0xffff }
    var interruptStack: UInt64 { low >> 32 & 7 }
    var kind: Kind? { isSystem ? Kind(rawValue: type) : nil }

    /// The handler's offset in its segment; 16-bit gates have only that many bits of it.
    var offset: UInt64 {
        let lowest = low & 0xffff
        return kind == .interrupt16 || kind == .trap16
            ? lowest : lowest | (low >> 48) << 16 | (high & 0xffff_ffff) << 32
    }
}
