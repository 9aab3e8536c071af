import KVM

/// What of a vCPU's state this host can tell and set.
struct StateSupport: Sendable {
    let hasXSAVE: Bool
    let hasXCRs: Bool
    let hasDebugRegisters: Bool
    let hasSpecialRegisters2: Bool
    let hasClock: Bool
    let hasTSCFrequency: Bool
    let hasTSCControl: Bool
    let hasClockControl: Bool
    let hasNestedState: Bool
    /// The model-specific registers that hold guest state, on whatever processor.
    let msrs: [UInt32]

    /// The memory types of physical ranges, which KVM has and does not list (Intel SDM volume 3, "Memory Cache Control").
    private static let unlistedMSRs: [UInt32] =
        [0x250, 0x258, 0x259] + Array(0x268...0x26f) + Array(0x200...0x20f) + [0x2ff]

    init(_ system: borrowing KVMSystem) throws(KVMError) {
        hasXSAVE = system.has(.xsave)
        hasXCRs = system.has(.xcrs)
        hasDebugRegisters = system.has(.debugRegisters)
        hasSpecialRegisters2 = system.has(.specialRegisters2)
        hasClock = system.has(.adjustClock)
        hasTSCFrequency = system.has(.tscFrequency)
        hasTSCControl = system.has(.tscControl)
        hasClockControl = system.has(.clockControl)
        hasNestedState = system.has(.nestedState)
        let listed = try system.savedMSRIndices()
        msrs = listed + Self.unlistedMSRs.filter { !listed.contains($0) }
    }
}

extension VCPU {
    /// Those of the registers that can be read: hosts list some that a processor lacks, by what its CPUID says.
    borrowing func readableMSRs(_ indices: [UInt32]) -> [UInt32] {
        var readable: [UInt32] = []
        var rest = indices[...]
        while !rest.isEmpty {
            guard let count = try? msrCount(readableIn: Array(rest)) else { break }
            readable += rest.prefix(count)
            rest = rest.dropFirst(count + 1)
        }
        return readable
    }
}

/// What there is to a machine's state, as far as that was asked for.
struct StateExtent {
    /// What of it the host can tell and set.
    var support: StateSupport?
    /// The model-specific registers that its processors have.
    var msrs: [UInt32]?
}
