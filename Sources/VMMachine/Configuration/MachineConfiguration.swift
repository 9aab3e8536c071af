import VMBoot

/// Everything that says what a machine is and what it boots: a plain value, which command-line flags and a JSON file
/// give alike.
public struct MachineConfiguration: Hashable, Encodable, Sendable {
    /// The image to boot: a path, or a name that the embedding program resolves.
    public var guest: String
    /// Nil for what the image's content says.
    public var format: ImageFormat?
    /// Where a raw binary goes, instead of its format's usual place.
    public var loadAddress: HexAddress?
    /// Where the guest starts, instead of where its image says.
    public var entry: HexAddress?
    /// The whole command line. Nil for the image's name followed by `arguments`.
    public var commandLine: String?
    /// The guest's arguments, which follow the image's name on its command line.
    public var arguments: [String]
    /// An ELF file with the symbols of what runs, for crash reports: that which a raw binary was made of, say. Nil for the image.
    public var symbols: String?
    /// Multiboot modules, in order; the first serves as the initial RAM disk of guests that have one.
    public var modules: [Module]
    /// RAM, in bytes: a multiple of 4 KiB.
    public var memory: ByteSize
    /// Read-only memory, over RAM where both are.
    public var roms: [ROM]
    /// How many CPUs: at least 1.
    public var cpus: Int
    /// Where the interrupt controllers are.
    public var irqchip: IRQChip
    /// Whether there is an 8254 timer in the kernel; needs `irqchip` to be `.full`.
    public var pit: Bool
    /// How the pages that the guest writes can be tracked, by whoever asks for that.
    public var dirtyTracking: DirtyTracking
    /// How many entries each vCPU's dirty ring has, where `dirtyTracking` is `.ring`: a power of two. Nil for 4096, or what
    /// the host has.
    public var dirtyRingSize: Int?
    /// How long the guest may run. Nil for as long as it likes.
    public var timeout: TimeLimit?
    /// The path of the host's KVM device.
    public var kvmDevice: String

    /// A file given to the guest beside its image.
    public struct Module: Hashable, Encodable, Sendable {
        /// The file.
        public var path: String
        /// Its string in the boot information. Nil for its path.
        public var commandLine: String?

        /// - Parameter commandLine: nil for the path.
        public init(path: String, commandLine: String? = nil) {
            self.path = path
            self.commandLine = commandLine
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case path, commandLine
        }
    }

    /// A file that the guest can read and execute in its memory, and not write.
    public struct ROM: Hashable, Encodable, Sendable {
        /// The file.
        public var path: String
        /// Where it starts, a multiple of 4 KiB. The rest of its last page is zero.
        public var address: HexAddress

        public init(path: String, address: HexAddress) {
            self.path = path
            self.address = address
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case path, address
        }
    }

    /// Where the interrupt controllers are.
    public enum IRQChip: String, CaseIterable, Codable, Sendable {
        /// Local APICs, I/O APIC and PICs in the kernel.
        case full
        /// Local APICs in the kernel, the I/O APIC in the monitor, no PICs.
        case split
        /// None at all: one CPU, without external interrupts.
        case none
    }

    /// How the pages that a guest writes can be tracked.
    public enum DirtyTracking: String, CaseIterable, Codable, Sendable {
        /// By what is best on the host, of the bitmaps.
        case auto
        case log, manual, ring
        /// Not at all.
        case off
    }

    /// What is left out is as usual: 128 MiB, one CPU, the interrupt controllers in the kernel, no time limit.
    public init(
        guest: String, format: ImageFormat? = nil, loadAddress: HexAddress? = nil, entry: HexAddress? = nil,
        commandLine: String? = nil, arguments: [String] = [], symbols: String? = nil, modules: [Module] = [],
        memory: ByteSize = Self.defaultMemory, roms: [ROM] = [], cpus: Int = 1, irqchip: IRQChip = .full,
        pit: Bool = false, dirtyTracking: DirtyTracking = .auto, dirtyRingSize: Int? = nil,
        timeout: TimeLimit? = nil, kvmDevice: String = Self.defaultKVMDevice
    ) {
        self.guest = guest
        self.format = format
        self.loadAddress = loadAddress
        self.entry = entry
        self.commandLine = commandLine
        self.arguments = arguments
        self.symbols = symbols
        self.modules = modules
        self.memory = memory
        self.roms = roms
        self.cpus = cpus
        self.irqchip = irqchip
        self.pit = pit
        self.dirtyTracking = dirtyTracking
        self.dirtyRingSize = dirtyRingSize
        self.timeout = timeout
        self.kvmDevice = kvmDevice
    }

    /// The keys of its JSON form.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case guest, format, loadAddress, entry, commandLine, arguments, symbols, modules
        case memory, roms, cpus, irqchip, pit, dirtyTracking, dirtyRingSize, timeout, kvmDevice
    }

    /// 128 MiB.
    public static let defaultMemory = ByteSize(bytes: 128 << 20)
    /// Where Linux has it.
    public static let defaultKVMDevice = "/dev/kvm"
}
