import Glibc
import KVM
import VMDirtyTracking
import VMMachine

/// What `vmm info` prints.
struct HostReport: Encodable {
    struct CapabilityLine: Encodable {
        let name: String
        /// Zero where the host lacks it; otherwise one, or what the capability counts.
        let value: Int
        let isRequired: Bool
        let purpose: String
        /// What the monitor does without it; only where the host lacks it.
        let fallback: String?
    }

    /// What the monitor does on this host where it has a choice.
    struct Choices: Encodable {
        let irqchipModes: [String]
        let defaultIRQChip: String
        let timer: Bool
        let dirtyTrackingMethods: [String]
        let defaultDirtyTracking: String
        /// Entries; 0 without rings.
        let largestDirtyRing: Int
        let largestCPUCount: Int
        let largestMemory: String
        let addressesInCrashReports: Bool
    }

    let device: String
    let apiVersion: Int
    let kernel: String
    let processorVendor: String
    let physicalAddressBits: Int
    let recommendedVCPUs: Int
    let maximumVCPUs: Int
    let maximumMemorySlots: Int
    let choices: Choices
    let capabilities: [CapabilityLine]

    init(device: String) throws(KVMError) {
        let system = try KVMSystem(path: device)
        let cpuid = try system.supportedCPUID()
        self.device = device
        apiVersion = KVMSystem.apiVersion
        kernel = Self.kernelRelease
        processorVendor = cpuid.vendor
        physicalAddressBits = cpuid.physicalAddressBits
        recommendedVCPUs = system.value(of: .recommendedVCPUs)
        maximumVCPUs = system.maximumVCPUs
        maximumMemorySlots = system.maximumMemorySlots
        choices = Choices(system, physicalAddressBits: physicalAddressBits)
        var lines: [CapabilityLine] = []
        for use in Capability.uses {
            let value = system.value(of: use.capability)
            lines.append(
                CapabilityLine(
                    name: use.name, value: value, isRequired: use.isRequired, purpose: use.purpose,
                    fallback: value == 0 ? use.fallback : nil))
        }
        capabilities = lines
    }

    static var kernelRelease: String {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown" }
        return withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension HostReport.Choices {
    init(_ system: borrowing KVMSystem, physicalAddressBits: Int) {
        var modes: [MachineConfiguration.IRQChip] = []
        for mode in MachineConfiguration.IRQChip.allCases where MachineConfiguration.isAvailable(mode, on: system) {
            modes.append(mode)
        }
        irqchipModes = modes.map(\.rawValue)
        defaultIRQChip = MachineConfiguration(guest: "").irqchip.rawValue
        timer = system.has(.pit)
        let tracking = DirtyTrackingSupport(system)
        dirtyTrackingMethods = tracking.methods.map(\.rawValue)
        defaultDirtyTracking = dirtyTrackingMethods[0]
        largestDirtyRing = tracking.maximumRingEntryCount
        largestCPUCount = MachineConfiguration.largestCPUCount(on: system)
        let largest = RAMLayout.largestSize(physicalAddressBits: physicalAddressBits)
        largestMemory = "\(largest >> 30)G"
        addressesInCrashReports = system.has(.syncRegisters)
    }
}

extension HostReport: CustomStringConvertible {
    var description: String {
        var lines = [
            "KVM            \(device), API version \(apiVersion), kernel \(kernel)",
            "processor      \(processorVendor), \(physicalAddressBits)-bit physical addresses",
            "vCPUs          up to \(choices.largestCPUCount) (KVM: \(maximumVCPUs), recommends \(recommendedVCPUs))",
            "memory         up to \(choices.largestMemory) in \(maximumMemorySlots) slots",
            "irqchip        \(choices.irqchipModes.joined(separator: ", ")); \(choices.defaultIRQChip) unless told "
                + "otherwise",
            "8254 timer     \(choices.timer ? "with --pit" : "not available")",
            "dirty pages    by \(choices.dirtyTrackingMethods.joined(separator: ", ")); \(choices.defaultDirtyTracking) unless "
                + "told otherwise" + (choices.largestDirtyRing > 0 ? "; rings up to \(choices.largestDirtyRing)" : ""),
            "",
            "Capabilities (* required):",
        ]
        let width = capabilities.map(\.name.count).max() ?? 0
        for line in capabilities {
            let name = line.name + String(repeating: " ", count: width - line.name.count)
            let value = line.value == 0 ? "no" : line.value == 1 ? "yes" : "\(line.value)"
            let padding = String(repeating: " ", count: max(1, 8 - value.count))
            lines.append("\(line.isRequired ? "*" : " ") \(name)  \(value)\(padding)\(line.purpose)")
            if let fallback = line.fallback {
                lines.append(String(repeating: " ", count: width + 12) + "without it: \(fallback)")
            }
        }
        return lines.joined(separator: "\n")
    }
}
