/// Where a vCPU is among its peers: in one package of `count` cores of one thread each. Sources: Intel SDM volume 2,
/// "CPUID"; AMD APM volume 3, appendix E.
public struct CPUTopology: Hashable, Sendable {
    /// The vCPU's id, which is its APIC id too.
    public let id: UInt32
    public let count: Int

    public init(id: UInt32, count: Int) {
        self.id = id
        self.count = count
    }

    /// How many bits of an APIC id tell the cores apart.
    fileprivate var coreBits: UInt32 {
        var bits: UInt32 = 0
        while 1 << bits < count { bits += 1 }
        return bits
    }
}

extension CPUIDEntry {
    /// The supported leaf made one vCPU's own: its APIC id, its topology, and the mark of a hypervisor.
    public func adapted(to topology: CPUTopology, hasLocalAPIC: Bool) -> CPUIDEntry {
        let (id, bits) = (topology.id, topology.coreBits)
        var entry = self
        switch function {
        case 1:
            let ids = min(UInt32(1) << bits, 255)
            entry.ebx = ebx & 0x0000_ffff | ids << 16 | (id & 0xff) << 24
            entry.ecx |= Self.hypervisor
            entry.edx = topology.count > 1 ? edx | Self.hyperThreading : edx & ~Self.hyperThreading
            if !hasLocalAPIC {
                entry.ecx &= ~(Self.x2APIC | Self.tscDeadline)
                entry.edx &= ~Self.localAPIC
            }
        case 4:
            entry.eax = eax & 0x03ff_ffff | min(UInt32(1) << bits - 1, 63) << 26
        case 0xb, 0x1f:
            entry.edx = id
            switch index {
            case 0: (entry.eax, entry.ebx, entry.ecx) = (0, 1, 1 << 8)
            case 1: (entry.eax, entry.ebx, entry.ecx) = (bits, UInt32(topology.count), 2 << 8 | 1)
            default: (entry.eax, entry.ebx, entry.ecx) = (0, 0, index)
            }
        case 0x8000_0008:
            entry.ecx = ecx & ~0xf0ff | min(UInt32(topology.count - 1), 0xff) | bits << 12
        case 0x8000_001e:
            (entry.eax, entry.ebx, entry.ecx) = (id, id & 0xff, 0)
        default:
            break
        }
        return entry
    }

    // Leaf 1, ECX.
    private static let x2APIC: UInt32 = 1 << 21
    private static let tscDeadline: UInt32 = 1 << 24
    private static let hypervisor: UInt32 = 1 << 31
    // Leaf 1, EDX.
    private static let localAPIC: UInt32 = 1 << 9
    private static let hyperThreading: UInt32 = 1 << 28
}
