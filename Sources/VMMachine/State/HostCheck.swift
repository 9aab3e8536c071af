import KVM

/// Whether a host has what a machine from elsewhere was made with.
struct HostCheck {
    private let supported: [CPUIDEntry]
    private let msrs: [UInt32]

    init(_ support: StateSupport, _ supported: [CPUIDEntry]) {
        self.supported = supported
        msrs = support.msrs
    }

    /// - Throws: `MachineError.hostLacks`.
    func check(_ processors: [SavedProcessorModel]) throws(MachineError) {
        var missing: [String] = []
        for processor in processors {
            for name in missingFeatures(processor) + missingMSRs(processor) where !missing.contains(name) {
                missing.append(name)
            }
        }
        guard missing.isEmpty else { throw .hostLacks(missing) }
    }

    private func missingFeatures(_ processor: SavedProcessorModel) -> [String] {
        let cpuid = processor.cpuid
        var missing: [String] = []
        for word in CPUFeature.words {
            guard let leaf = cpuid.first(where: word.isIn) else { continue }
            let here = supported.first(where: word.isIn).map(word.value) ?? 0
            let lacking = word.value(leaf) & ~here & ~word.notTheHosts
            guard lacking != 0 else { continue }
            missing += (0..<32).filter { lacking & 1 << $0 != 0 }.map { word.name(ofBit: $0) }
        }
        return missing
    }

    private func missingMSRs(_ processor: SavedProcessorModel) -> [String] {
        processor.msrs.lazy.filter { !msrs.contains($0) }.map { "MSR 0x\(String($0, radix: 16))" }
    }
}

/// Words of feature bits that CPUID has (Intel SDM volume 2, "CPUID"; AMD APM volume 3, appendix E).
enum CPUFeature {
    struct Word: Sendable {
        let function: UInt32
        let index: UInt32
        let register: Register
        /// Bits that do not say what the host's processor can do: they follow the guest's control registers, are the monitor's
        /// to set, or are capabilities of their own.
        var notTheHosts: UInt32 = 0
        /// Of bit 0 and up; empty where it has none here.
        var names: [String] = []

        func isIn(_ entry: CPUIDEntry) -> Bool { entry.function == function && entry.index == index }

        func value(_ entry: CPUIDEntry) -> UInt32 {
            switch register {
            case .eax: entry.eax
            case .ebx: entry.ebx
            case .ecx: entry.ecx
            case .edx: entry.edx
            }
        }

        func name(ofBit bit: Int) -> String {
            if names.indices.contains(bit), !names[bit].isEmpty { return "CPU feature \(names[bit])" }
            let leaf = "0x\(String(function, radix: 16))" + (index == 0 ? "" : ".\(index)")
            return "CPU feature CPUID \(leaf) \(register.rawValue)[\(bit)]"
        }
    }

    enum Register: String, Sendable {
        case eax, ebx, ecx, edx
    }

    private static func names(_ text: String) -> [String] {
        text.split(separator: " ").map { $0 == "-" ? "" : String($0) }
    }

    static let words: [Word] = [
        // OSXSAVE, the TSC deadline timer, the mark of a hypervisor.
        Word(
            function: 1, index: 0, register: .ecx, notTheHosts: 1 << 27 | 1 << 24 | 1 << 31,
            names: names(
                "sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cnxt_id sdbg fma cx16 xtpr pdcm - pcid dca "
                    + "sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline aes xsave osxsave avx f16c rdrand hypervisor")),
        // The local APIC, hyper-threading.
        Word(
            function: 1, index: 0, register: .edx, notTheHosts: 1 << 9 | 1 << 28,
            names: names(
                "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr "
                    + "sse sse2 ss ht tm ia64 pbe")),
        Word(
            function: 7, index: 0, register: .ebx,
            names: names(
                "fsgsbase tsc_adjust sgx bmi1 hle avx2 fdp_excptn_only smep bmi2 erms invpcid rtm cqm zero_fcs_fds mpx "
                    + "rdt_a avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel_pt avx512pf avx512er "
                    + "avx512cd sha_ni avx512bw avx512vl")),
        // OSPKE.
        Word(
            function: 7, index: 0, register: .ecx, notTheHosts: 1 << 4,
            names: names(
                "prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512_vbmi2 shstk gfni vaes vpclmulqdq avx512_vnni "
                    + "avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock cldemote - movdiri movdir64b "
                    + "enqcmd sgx_lc pks")),
        Word(
            function: 7, index: 0, register: .edx,
            names: names(
                "- - avx512_4vnniw avx512_4fmaps fsrm uintr - - avx512_vp2intersect srbds_ctrl md_clear - - tsx_force_abort "
                    + "serialize hybrid tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 spec_ctrl "
                    + "stibp flush_l1d arch_capabilities core_capabilities ssbd")),
        Word(function: 7, index: 1, register: .eax),
        // The states that XCR0 can name.
        Word(function: 0xd, index: 0, register: .eax),
        Word(function: 0xd, index: 1, register: .eax),
        Word(function: 0x8000_0001, index: 0, register: .ecx),
        Word(
            function: 0x8000_0001, index: 0, register: .edx,
            names: names(
                "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow"
            )),
    ]
}
