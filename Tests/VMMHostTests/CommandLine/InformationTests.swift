import BuiltInGuests
import FoundationEssentials
import TestSupport
import Testing

/// The commands that show something.
@Suite struct InformationTests {
    @Test func `vmm guests lists every guest with what it does`() throws {
        let run = try VMMProgram.run(["guests"])
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        let lines = run.text.split(separator: "\n")
        for guest in BuiltInGuest.all {
            #expect(lines.contains { $0.hasPrefix(guest.name + " ") && $0.hasSuffix(guest.summary) })
            if !guest.usage.isEmpty { #expect(lines.contains { $0.hasSuffix("-- \(guest.usage)") }) }
        }
    }

    @Test(arguments: [["help"], ["--help"], ["-h"], []])
    func `vmm help shows the commands`(arguments: [String]) throws {
        let run = try VMMProgram.run(arguments)
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        for word in ["USAGE: vmm", "run", "plan", "info", "guests", "vmm run hello"] {
            #expect(run.text.contains(word))
        }
    }

    @Test(arguments: [["run", "--help"], ["help", "run"], ["run", "-h"]])
    func `vmm run --help shows the flags and statuses`(arguments: [String]) throws {
        let run = try VMMProgram.run(arguments)
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        for flag in [
            "USAGE: vmm run ", "-k, --kernel", "-m, --memory", "-c, --cpus", "-i, --module", "-p, --params", "--format",
            "--load-address",
            "--entry", "--irqchip", "--pit", "--timeout", "--config", "--kvm-device", "--report",
            "--inspect-on-exit", "--print-configuration", "Exit status:", "Ctrl-A X",
        ] { #expect(run.text.contains(flag), "no \(flag) in \(run.text)") }
    }

    @Test func `vmm plan --help shows an example that can be planned`() throws {
        let run = try VMMProgram.run(["help", "plan"])
        #expect(run.ending == .exited(0))
        for word in ["<file>", "--json", "transaction", "Exit status:"] { #expect(run.text.contains(word)) }
        let lines = run.text.split(separator: "\n", omittingEmptySubsequences: false)
        let example = lines.drop { !$0.hasPrefix("  {") }.prefix { !$0.isEmpty }.joined(separator: "\n")
        let planned = try VMMProgram.run(["plan", "-"], input: .bytes(Array(example.utf8)))
        #expect(planned.ending == .exited(0))
        #expect(planned.text.contains("changes[1]: transaction: move \"rom\" to 0xe0000, map \"rom\" rwx\n"))
    }

    @Test(.needsKVM) func `vmm info shows what the host has`() throws {
        let run = try VMMProgram.run(["info"])
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        for word in [
            "/dev/kvm", "API version 12", "physical addresses", "vCPUs", "memory", "irqchip",
            "KVM_CAP_USER_MEMORY", "KVM_CAP_IRQCHIP",
        ] { #expect(run.text.contains(word), "no \(word) in \(run.text)") }
    }

    @Test(.needsKVM) func `vmm info --json is for programs`() throws {
        let run = try VMMProgram.run(["info", "--json"])
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        let info = try JSONDecoder().decode(HostInformation.self, from: Data(run.output))
        #expect(info.device == "/dev/kvm")
        #expect(info.apiVersion == 12)
        #expect(!info.kernel.isEmpty)
        #expect(info.processorVendor.utf8.count == 12)
        #expect((32...52).contains(info.physicalAddressBits))
        #expect(info.maximumVCPUs >= info.choices.largestCPUCount)
        #expect(info.maximumMemorySlots > 8)
        #expect(info.choices.irqchipModes.contains("none"))
        #expect(info.choices.defaultIRQChip == "full")
        #expect(info.capabilities.contains { $0.name == "KVM_CAP_USER_MEMORY" && $0.isRequired && $0.value == 1 })
        // Whatever is missing, it is said what happens instead.
        for capability in info.capabilities where capability.value == 0 { #expect(capability.fallback != nil) }
    }

    @Test(arguments: [
        Refusal(["info", "--kvm-device", "/nonexistent"], 69, ["/nonexistent", "ENOENT", "kvm_intel", "kvm_amd"]),
        Refusal(["info", "--json", "--kvm-device", "/dev/null"], 69, ["/dev/null is not a KVM device"]),
    ])
    func `vmm info says why there is no KVM`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }
}

/// What `vmm info --json` prints.
struct HostInformation: Decodable {
    struct Capability: Decodable {
        let name: String
        let value: Int
        let isRequired: Bool
        let purpose: String
        let fallback: String?
    }

    struct Choices: Decodable {
        let irqchipModes: [String]
        let defaultIRQChip: String
        let timer: Bool
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
    let capabilities: [Capability]

    /// That of this host.
    static func read() throws -> HostInformation {
        try JSONDecoder().decode(HostInformation.self, from: Data(VMMProgram.run(["info", "--json"]).output))
    }
}
