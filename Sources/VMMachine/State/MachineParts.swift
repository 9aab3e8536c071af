import VMBoot
import VMState

/// What a machine is made of, as far as its guest can tell.
struct SavedMachine: SavedPart {
    static let kind = "machine"
    static let version: UInt32 = 1

    /// What it booted, for people.
    var guest = ""
    var format = ImageFormat.flat16
    var cpus = 1
    /// RAM it was given, in bytes.
    var memory: UInt64 = 0
    var irqchip = MachineConfiguration.IRQChip.full
    var pit = false

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.text("guest", &guest)
        try archive.choice("format", &format)
        try archive.number("cpus", &cpus, in: 1...254)
        try archive.number("memory", &memory)
        try archive.choice("irqchip", &irqchip)
        try archive.flag("pit", &pit)
    }

    init() {}

    init(_ configuration: MachineConfiguration, _ format: ImageFormat) {
        guest = configuration.guest
        self.format = format
        cpus = configuration.cpus
        memory = configuration.memory.bytes
        irqchip = configuration.irqchip
        pit = configuration.pit
    }
}

/// Something that memory of regions comes from. Its contents are elsewhere.
public struct SavedBacking: SavedPart {
    public static let kind = "memory.backing"
    public static let version: UInt32 = 1

    /// For people.
    public internal(set) var name = ""
    /// A multiple of 4096.
    public internal(set) var byteCount: UInt64 = 0
    /// Whether each of its pages can be at several places at once.
    public internal(set) var isShareable = false
    public internal(set) var usesTransparentHugePages = false

    public init() {}

    public mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.text("name", &name)
        try archive.number("bytes", &byteCount, in: 4096...1 << 52)
        try archive.flag("shareable", &isShareable)
        try archive.flag("transparent huge pages", &usesTransparentHugePages)
        guard byteCount.isMultiple(of: 4096) else {
            throw archive.refusal("bytes", "\(byteCount) are no whole pages")
        }
    }
}

/// A region, with where its memory is in the backings.
struct SavedRegion: SavedPart {
    static let kind = "memory.region"
    static let version: UInt32 = 1
    /// Numbers for each part of its memory.
    static let mappingFields = 5

    var name = ""
    /// Guest-physical.
    var start: UInt64 = 0
    var last: UInt64 = 0
    var priority: UInt8 = 0
    var isMapped = false
    var isWritable = false
    var isExecutable = false
    var prefetch = false
    /// Offset in the region, length in bytes, number of the backing, offset there, and whether it can be written.
    var mappings: [UInt64] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.text("name", &name)
        try archive.number("start", &start)
        try archive.number("last", &last)
        try archive.number("priority", &priority)
        try archive.flag("mapped", &isMapped)
        try archive.flag("writable", &isWritable)
        try archive.flag("executable", &isExecutable)
        try archive.flag("prefetch", &prefetch)
        try archive.numbers("mappings", &mappings, count: 0...(Self.mappingFields << 16))
        guard mappings.count.isMultiple(of: Self.mappingFields) else {
            throw archive.refusal("mappings", "has \(mappings.count) numbers, not \(Self.mappingFields) for each")
        }
    }
}
