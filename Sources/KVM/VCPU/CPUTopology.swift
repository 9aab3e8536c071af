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

    /// A subleaf of leaf 0xb or 0x1f.
    /// - Parameters:
    ///   - shift: how many bits of an APIC id are below those of the next level.
    ///   - type: 1 for threads, 2 for cores, 0 for the end.
    fileprivate func level(
        _ index: UInt32, of function: UInt32, shift: UInt32, processors: UInt32, type: UInt32
    ) -> CPUIDEntry {
        var entry = CPUIDEntry()
        entry.function = function
        entry.index = index
        entry.flags = CPUIDEntry.indexIsSignificant
        (entry.eax, entry.ebx) = (shift, processors)
        (entry.ecx, entry.edx) = (type << 8 | index, id)
        return entry
    }
}

extension [CPUIDEntry] {
    /// The supported leaves made one vCPU's own: its APIC id, its topology, the mark of a hypervisor, and what there is
    /// only with a local APIC.
    public func adapted(
        to topology: CPUTopology, hasLocalAPIC: Bool, hasTSCDeadlineTimer: Bool = false
    ) -> [CPUIDEntry] {
        var entries: [CPUIDEntry] = []
        entries.reserveCapacity(count + 4)
        for var entry in self {
            switch entry.function {
            case 0xb, 0x1f:
                if entry.index == 0 { entries.appendLevels(entry.function, topology) }
                continue
            case 1:
                entry.adaptBasicFeatures(to: topology)
                entry.adapt(toLocalAPIC: hasLocalAPIC, hasTSCDeadlineTimer: hasTSCDeadlineTimer)
            case 4, 0x8000_0008, 0x8000_001d, 0x8000_001e:
                entry.adapt(to: topology)
            default:
                break
            }
            entries.append(entry)
        }
        return entries
    }

    /// Leaf 0xb or 0x1f: the thread level, the core level, and the end. Hosts list at most the first.
    private mutating func appendLevels(_ function: UInt32, _ topology: CPUTopology) {
        append(topology.level(0, of: function, shift: 0, processors: 1, type: 1))
        append(
            topology.level(1, of: function, shift: topology.coreBits, processors: UInt32(topology.count), type: 2))
        append(topology.level(2, of: function, shift: 0, processors: 0, type: 0))
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
