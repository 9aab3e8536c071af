import ArgumentParser
import VMBoot
import VMMachine

/// The flags that describe a machine. Each overrides the same value of the `--config` file.
struct MachineOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("A file to boot, or a built-in guest ('vmm guests').", valueName: "guest"))
    var guest: String?

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp(
            "The guest's command line, after its image's name; -p overrides it.", valueName: "guest arguments"))
    var arguments: [String] = []

    @Option(
        name: [.customShort("k"), .long], help: ArgumentHelp("The file to boot, in place of GUEST.", valueName: "file"))
    var kernel: String?

    @Option(
        name: [.customShort("m"), .customLong("memory"), .customLong("mem")], help: "RAM: 64M, 1G (default 128M).",
        transform: { try $0.parsed("a size, such as 64M, 1G or a number of bytes", ByteSize.init) })
    var memory: ByteSize?

    @Option(name: [.customShort("c"), .long], help: "How many CPUs (default 1).")
    var cpus: Int?

    @Option(
        name: [.customShort("i"), .customLong("module"), .customLong("initrd")],
        help: ArgumentHelp(
            "A Multiboot module, with an optional string for the guest; repeat for more.", valueName: "file[,string]"))
    var modules: [String] = []

    @Option(
        name: [.customShort("p"), .customLong("params"), .customLong("cmdline")],
        help: ArgumentHelp("The guest's whole command line, the image's name first.", valueName: "line"))
    var commandLine: String?

    @Option(name: .long, help: "The image's format, instead of what its content says. Raw binaries need it.")
    var format: ImageFormat?

    @Option(
        name: .long, help: ArgumentHelp("Where a raw binary is loaded.", valueName: "address"),
        transform: { try $0.parsed("an address, such as 0x100000 or 1M", HexAddress.init) })
    var loadAddress: HexAddress?

    @Option(
        name: .long, help: ArgumentHelp("Where the guest starts.", valueName: "address"),
        transform: { try $0.parsed("an address, such as 0x100000 or 1M", HexAddress.init) })
    var entry: HexAddress?

    @Option(
        name: .long,
        help: ArgumentHelp("An ELF file with the guest's symbols, for crash reports.", valueName: "file"))
    var symbols: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Read-only memory with the file's content, over RAM where both are; repeat for more.",
            valueName: "file@address"),
        transform: { try $0.parsed("a file and where it goes, such as bios.bin@0xf0000", Self.rom) })
    var rom: [MachineConfiguration.ROM] = []

    @Option(name: .long, help: "Where the interrupt controllers are: full in the kernel (the default), split, or none.")
    var irqchip: MachineConfiguration.IRQChip?

    @Flag(name: .long, inversion: .prefixedNo, help: "Add an 8254 timer, or not (the default).")
    var pit: Bool?

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
        name: .long, help: ArgumentHelp("Stop the guest after this time: 10s, 500ms, 2m.", valueName: "time"),
        transform: { try $0.parsed("a time of a millisecond or more, such as 10s, 500ms or 2m", TimeLimit.init) })
    var timeout: TimeLimit?

    @Option(
        name: .long,
        help: ArgumentHelp("Read the configuration from FILE; flags override what it says.", valueName: "file"))
    var config: String?

    @Option(name: .long, help: ArgumentHelp("The KVM device (default /dev/kvm).", valueName: "path"))
    var kvmDevice: String?

    /// The machine that the file and the flags describe.
    func makeConfiguration() throws(Failure) -> MachineConfiguration {
        if let guest, let kernel {
            throw Failure(.usage, "both a GUEST (\(guest)) and -k \(kernel); name one of them")
        }
        var configuration: MachineConfiguration
        if let config {
            configuration = try ConfigurationFile.read(config)
            configuration.guest = guest ?? kernel ?? configuration.guest
            guard !configuration.guest.isEmpty else {
                throw Failure(.usage, "no GUEST, and \(config) has no key guest; name what to boot in one of them")
            }
        } else if let guest = guest ?? kernel {
            configuration = MachineConfiguration(guest: guest)
        } else {
            throw Failure(.usage, "no GUEST; name a file, or a built-in guest such as hello ('vmm guests' lists them)")
        }
        apply(to: &configuration)
        return configuration
    }

    private func apply(to configuration: inout MachineConfiguration) {
        configuration.format = format ?? configuration.format
        configuration.loadAddress = loadAddress ?? configuration.loadAddress
        configuration.entry = entry ?? configuration.entry
        configuration.commandLine = commandLine ?? configuration.commandLine
        if !arguments.isEmpty { configuration.arguments = arguments }
        configuration.symbols = symbols ?? configuration.symbols
        if !modules.isEmpty { configuration.modules = modules.map(Self.module) }
        configuration.memory = memory ?? configuration.memory
        if !rom.isEmpty { configuration.roms = rom }
        configuration.cpus = cpus ?? configuration.cpus
        configuration.irqchip = irqchip ?? configuration.irqchip
        configuration.pit = pit ?? configuration.pit
        configuration.dirtyTracking = dirtyTracking ?? configuration.dirtyTracking
        configuration.dirtyRingSize = dirtyRingSize ?? configuration.dirtyRingSize
        configuration.timeout = timeout ?? configuration.timeout
        configuration.kvmDevice = kvmDevice ?? configuration.kvmDevice
    }

    /// `FILE` or `FILE,STRING`.
    private static func module(_ text: String) -> MachineConfiguration.Module {
        guard let comma = text.firstIndex(of: ",") else { return MachineConfiguration.Module(path: text) }
        return MachineConfiguration.Module(
            path: String(text[..<comma]), commandLine: String(text[text.index(after: comma)...]))
    }

    /// `FILE@ADDRESS`.
    private static func rom(_ text: String) -> MachineConfiguration.ROM? {
        guard let at = text.lastIndex(of: "@"), at != text.startIndex,
            let address = HexAddress(String(text[text.index(after: at)...]))
        else { return nil }
        return MachineConfiguration.ROM(path: String(text[..<at]), address: address)
    }

    /// What a configuration key is called on the command line.
    static func flag(of key: MachineConfiguration.CodingKeys) -> String {
        switch key {
        case .guest: "GUEST"
        case .format: "--format"
        case .loadAddress: "--load-address"
        case .entry: "--entry"
        case .commandLine: "-p"
        case .arguments: "guest arguments"
        case .symbols: "--symbols"
        case .modules: "-i"
        case .memory: "-m"
        case .roms: "--rom"
        case .cpus: "-c"
        case .irqchip: "--irqchip"
        case .pit: "--pit"
        case .dirtyTracking: "--dirty-tracking"
        case .dirtyRingSize: "--dirty-ring-size"
        case .timeout: "--timeout"
        case .kvmDevice: "--kvm-device"
        }
    }
}

extension String {
    /// - Parameter form: what is expected, for the message.
    func parsed<Value>(_ form: String, _ parse: (String) -> Value?) throws -> Value {
        guard let value = parse(self) else { throw ValidationError("it has to be \(form)") }
        return value
    }
}

extension ImageFormat: ExpressibleByArgument {}

extension MachineConfiguration.IRQChip: ExpressibleByArgument {}

extension MachineConfiguration.DirtyTracking: ExpressibleByArgument {}
