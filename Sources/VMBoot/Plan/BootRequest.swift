import VMAddressSpace

/// What to boot, and the machine to boot it on.
public struct BootRequest: Sendable {
    /// What to run.
    public var image: GuestImage
    /// How to read the image; nil for what its content says.
    public var format: ImageFormat?
    /// Where a flat image goes, guest-physical; nil for its format's default. Formats that carry their own
    /// addresses refuse it.
    public var loadAddress: GuestAddress?
    /// Where to start instead of at the image's own entry. For an ELF a linked address, as symbols have,
    /// or a guest-physical one; otherwise guest-physical.
    public var entry: GuestAddress?
    /// The whole line, by custom the image's name first. At most 4095 bytes of UTF-8, without a zero byte.
    public var commandLine: String
    /// Files for the guest beside its image, in order. Only Multiboot has a way to hand them over.
    public var modules: [BootModule]
    /// The guest-physical addresses with RAM behind them, ascending.
    public var memory: [MemoryRange]
    /// How many vCPUs there are; the guest is told.
    public var cpuCount: Int
    /// The rate of the time-stamp counter in kHz; 0 where unknown.
    public var tscKilohertz: UInt32

    /// A request for the image's own format, addresses and entry unless it says otherwise.
    public init(
        image: GuestImage, format: ImageFormat? = nil, loadAddress: GuestAddress? = nil, entry: GuestAddress? = nil,
        commandLine: String = "", modules: [BootModule] = [], memory: [MemoryRange], cpuCount: Int = 1,
        tscKilohertz: UInt32 = 0
    ) {
        self.image = image
        self.format = format
        self.loadAddress = loadAddress
        self.entry = entry
        self.commandLine = commandLine
        self.modules = modules
        self.memory = memory
        self.cpuCount = cpuCount
        self.tscKilohertz = tscKilohertz
    }
}

/// A file the guest gets beside its image: an initial ramdisk, say.
public struct BootModule: Sendable {
    /// Its contents; not empty.
    public var image: GuestImage
    /// The string that comes with it, with the same bound as `BootRequest.commandLine`.
    public var commandLine: String

    /// A module with its string.
    public init(image: GuestImage, commandLine: String = "") {
        self.image = image
        self.commandLine = commandLine
    }
}
