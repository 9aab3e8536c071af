import ArgumentParser
import VMMachine

/// The flags that are left to whoever goes on with a guest that was made elsewhere.
struct RestoringOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "How written pages are tracked when something asks for it: auto (the default), log, manual, ring, or off.",
            valueName: "method"))
    var dirtyTracking: MachineConfiguration.DirtyTracking?

    @Option(
        name: .long,
        help: ArgumentHelp("Entries of each CPU's dirty ring, a power of two (default 4096).", valueName: "count"))
    var dirtyRingSize: Int?

    @Option(
        name: .long, help: ArgumentHelp("Stop the guest after this time here: 10s, 500ms, 2m.", valueName: "time"),
        transform: { try $0.parsed("a time of a millisecond or more, such as 10s, 500ms or 2m", TimeLimit.init) })
    var timeout: TimeLimit?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "An ELF file with the guest's symbols, for crash reports; they do not come with the guest.",
            valueName: "file"))
    var symbols: String?

    @Option(name: .long, help: ArgumentHelp("The KVM device (default /dev/kvm).", valueName: "path"))
    var kvmDevice: String?

    var restoring: MachineConfiguration.Restoring {
        MachineConfiguration.Restoring(
            dirtyTracking: dirtyTracking ?? .auto, dirtyRingSize: dirtyRingSize, timeout: timeout,
            symbols: symbols, kvmDevice: kvmDevice ?? MachineConfiguration.defaultKVMDevice)
    }
}
