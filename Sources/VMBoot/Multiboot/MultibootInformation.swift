import VMAddressSpace

/// The information structure that a Multiboot kernel finds at EBX, with everything it points to, as one
/// piece of memory (Multiboot Specification 0.6.96, section 3.3).
struct MultibootInformation {
    struct Module {
        let range: AddressRange
        let commandLine: String
    }

    private enum Flag {
        static let memory: UInt32 = 1 << 0
        static let commandLine: UInt32 = 1 << 2
        static let modules: UInt32 = 1 << 3
        static let memoryMap: UInt32 = 1 << 6
        static let loaderName: UInt32 = 1 << 9
    }

    /// The whole structure with its video fields, which stay zero, rounded up to 8.
    private static let headerSize = 120
    private static let mapEntrySize = 24
    private static let moduleEntrySize = 16
    private static let loaderName = "swift-vmm"

    let commandLine: String
    let modules: [Module]
    private let map: BIOSMemoryMap

    init(commandLine: String, modules: [Module], ram: GuestRAM) {
        self.commandLine = commandLine
        self.modules = modules
        self.map = BIOSMemoryMap(ram)
    }

    /// Its bytes for the address `base`, where its pointers count from. Their number is always the same.
    /// `base` and that number stay below 2^32.
    func bytes(at base: UInt32) -> [UInt8] {
        let mapStart = Self.headerSize
        let modulesStart = mapStart + map.entries.count * Self.mapEntrySize
        var strings = StringPool(start: modulesStart + modules.count * Self.moduleEntrySize, base: base)
        let commandLine = strings.add(self.commandLine)
        let loaderName = strings.add(Self.loaderName)
        let moduleLines = modules.map { strings.add($0.commandLine) }

        var header = [UInt32](repeating: 0, count: Self.headerSize / 4)
        header[0] = Flag.memory | Flag.commandLine | Flag.modules | Flag.memoryMap | Flag.loaderName
        header[1] = map.lowerKilobytes
        header[2] = map.upperKilobytes
        header[4] = commandLine
        header[5] = UInt32(clamping: modules.count)
        header[6] = base &+ UInt32(clamping: modulesStart)
        header[11] = UInt32(clamping: map.entries.count * Self.mapEntrySize)
        header[12] = base &+ UInt32(clamping: mapStart)
        header[16] = loaderName

        var bytes: [UInt8] = []
        for word in header { bytes.appendLittleEndian(word) }
        for entry in map.entries { append(entry, to: &bytes) }
        for (module, line) in zip(modules, moduleLines) {
            // Modules are below 4 GiB, less a page.
            bytes.appendLittleEndian(UInt32(clamping: module.range.start.rawValue))
            bytes.appendLittleEndian(UInt32(clamping: module.range.last.rawValue + 1))
            bytes.appendLittleEndian(line)
            bytes.appendLittleEndian(0 as UInt32)
        }
        return bytes + strings.bytes
    }

    private func append(_ entry: BIOSMemoryMap.Entry, to bytes: inout [UInt8]) {
        // The size does not count itself.
        bytes.appendLittleEndian(UInt32(Self.mapEntrySize - 4))
        bytes.appendLittleEndian(entry.range.start.rawValue)
        bytes.appendLittleEndian(entry.range.count)
        bytes.appendLittleEndian(entry.isUsable ? 1 : 2 as UInt32)
    }
}

/// C strings one after another, and the address of each.
private struct StringPool {
    let start: Int
    let base: UInt32
    private(set) var bytes: [UInt8] = []

    init(start: Int, base: UInt32) {
        self.start = start
        self.base = base
    }

    mutating func add(_ text: String) -> UInt32 {
        let address = base &+ UInt32(clamping: start + bytes.count)
        bytes.appendZeroTerminated(text)
        return address
    }
}
