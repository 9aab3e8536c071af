/// Where a vCPU is among its peers: in one package of `count` cores of one thread each. Sources: Intel SDM volume 2,
/// "CPUID"; AMD APM volume 3, appendix E.
public struct CPUTopology: Hashable, Sendable {
    /// The vCPU's id, which is its APIC id too.
    public let id: UInt32
    /// How many vCPUs the machine has.
    public let count: Int

    /// - Parameter count: at least 1.
    public init(id: UInt32, count: Int) {
        self.id = id
        self.count = max(1, count)
    }

    /// How many bits of an APIC id tell the cores apart.
    fileprivate var coreBits: UInt32 {
        var bits: UInt32 = 0
        while 1 << bits < count { bits += 1 }
        return bits
    }

    /// A subleaf of leaf 0xb or 0x1f: 0 for the threads, 1 for the cores, and from 2 on the end.
    fileprivate func level(_ index: UInt32, of function: UInt32) -> CPUIDEntry {
        var entry = CPUIDEntry()
        entry.function = function
        entry.index = index
        entry.flags = CPUIDEntry.indexIsSignificant
        // EAX: how many bits of an APIC id are below those of the next level. ECX: 1 for threads, 2 for cores, 0 for the end.
        entry.eax = index == 1 ? coreBits : 0
        entry.ebx = index == 0 ? 1 : index == 1 ? UInt32(count) : 0
        entry.ecx = index & 0xff | (index < 2 ? index + 1 : 0) << 8
        entry.edx = id
        return entry
    }
}

extension [CPUIDEntry] {
    /// The supported leaves made one vCPU's own: its APIC id, its topology, the mark of a hypervisor, and what there is
    /// only with a local APIC.
    public func adapted(
        to topology: CPUTopology, hasLocalAPIC: Bool, hasTSCDeadlineTimer: Bool = false
    ) -> [CPUIDEntry] {
        var entries = self
        entries.reserveCapacity(count + 4)
        // The subleaves of the topology, as bits: hosts list the first at most, or those of their own levels.
        var (listed, listedV2) = (0 as UInt32, 0 as UInt32)
        var leaves = entries.mutableSpan
        for index in leaves.indices {
            switch leaves[index].function {
            case 0xb: listed |= leaves[index].become(topology)
            case 0x1f: listedV2 |= leaves[index].become(topology)
            case 1:
                leaves[index].adaptBasicFeatures(to: topology)
                leaves[index].adapt(toLocalAPIC: hasLocalAPIC, hasTSCDeadlineTimer: hasTSCDeadlineTimer)
            case 4, 0x8000_0008, 0x8000_001d, 0x8000_001e: leaves[index].adapt(to: topology)
            default: break
            }
        }
        for index in 0..<UInt32(3) {
            if listed != 0, listed & 1 << index == 0 { entries.append(topology.level(index, of: 0xb)) }
            if listedV2 != 0, listedV2 & 1 << index == 0 { entries.append(topology.level(index, of: 0x1f)) }
        }
        return entries
    }
}

extension CPUIDEntry {
    fileprivate static let indexIsSignificant: UInt32 = 1

    // Leaf 1, ECX.
    private static let x2APIC: UInt32 = 1 << 21
    private static let tscDeadline: UInt32 = 1 << 24
    private static let hypervisor: UInt32 = 1 << 31
    // Leaf 1, EDX.
    private static let localAPIC: UInt32 = 1 << 9
    private static let hyperThreading: UInt32 = 1 << 28

    fileprivate mutating func adaptBasicFeatures(to topology: CPUTopology) {
        let ids = min(UInt32(1) << topology.coreBits, 255)
        ebx = ebx & 0x0000_ffff | ids << 16 | (topology.id & 0xff) << 24
        ecx |= Self.hypervisor
        edx = topology.count > 1 ? edx | Self.hyperThreading : edx & ~Self.hyperThreading
    }

    fileprivate mutating func adapt(toLocalAPIC hasLocalAPIC: Bool, hasTSCDeadlineTimer: Bool) {
        if hasLocalAPIC {
            // The kernel's local APIC has the timer, but does not list it among the features supported.
            if hasTSCDeadlineTimer { ecx |= Self.tscDeadline }
        } else {
            ecx &= ~(Self.x2APIC | Self.tscDeadline)
            edx &= ~Self.localAPIC
        }
    }

    /// Becomes the subleaf of the topology at its own index.
    /// - Returns: the bit of that index; the highest for those that have none.
    fileprivate mutating func become(_ topology: CPUTopology) -> UInt32 {
        self = topology.level(index, of: function)
        return 1 << min(index, 31)
    }

    fileprivate mutating func adapt(to topology: CPUTopology) {
        switch function {
        case 4, 0x8000_001d:
            // Type 0 ends the list of caches. The last level is the package's, the others are each core's own.
            guard eax & 0x1f != 0 else { break }
            let isShared = eax >> 5 & 7 >= 3
            let sharing = isShared ? min(UInt32(1) << topology.coreBits - 1, 0xfff) : 0
            let cores = function == 4 ? min(UInt32(1) << topology.coreBits - 1, 63) : eax >> 26
            eax = eax & 0x3fff | sharing << 14 | cores << 26
        case 0x8000_0008:
            ecx = ecx & ~0xf0ff | min(UInt32(topology.count - 1), 0xff) | topology.coreBits << 12
        case 0x8000_001e:
            (eax, ebx, ecx) = (topology.id, topology.id & 0xff, 0)
        default:
            break
        }
    }
}
