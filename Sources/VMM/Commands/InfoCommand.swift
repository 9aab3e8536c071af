import ArgumentParser
import KVM
import VMMachine

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show what this host's KVM offers, and what vmm will use or do without.")

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @Option(name: .long, help: ArgumentHelp("The KVM device.", valueName: "path"))
    var kvmDevice = MachineConfiguration.defaultKVMDevice

    func run() throws {
        let report: HostReport
        do throws(KVMError) {
            report = try HostReport(device: kvmDevice)
        } catch {
            throw Failure(ExitStatus(.kvm(error)), "\(error)")
        }
        try CommandOutput.print(json ? try JSONText.make(report) : "\(report)")
    }
}
