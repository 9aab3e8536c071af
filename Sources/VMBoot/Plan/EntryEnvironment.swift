import VMAddressSpace

/// What a guest finds when it starts: its image and the structures around it in memory, and the CPU's state.
struct EntryEnvironment {
    /// The structures' usual places, guest-physical.
    enum Place {
        static let gdt: UInt64 = 0x500
        static let pageTables: UInt64 = 0x1000
        /// In long mode, where the first page is not mapped.
        static let longGDT: UInt64 = 0x8000
        /// In the same page as the GDT of long mode, unless it is long: a page less for the host to provide.
        static let commandLine: UInt64 = 0x8100
        static let multibootInformation: UInt64 = 0xa000
        /// A page that is not mapped in long mode, for a stack to run into.
        static let stackGuard: UInt64 = 0xb000
        /// Ends at 128 KiB; what is below, down to the guard, is free, so that a deeper stack does no harm.
        static let stack: UInt64 = 0x1_c000
    }

    static let stackByteCount: UInt64 = 0x4000

    /// The image's, then what is around it.
    var loads: [BootPlan.Load]
    var cpu: InitialCPUState

    /// - Throws: `BootError` of kind `doesNotFit`.
    init(
        _ format: ImageFormat, _ request: borrowing BootRequest, _ image: PlacedImage, _ layout: inout BootLayout
    ) throws(BootError) {
        switch format {
        case .flat16: try self.init(real: request, image, &layout)
        case .flat32, .elf32: try self.init(protected: request, image, &layout)
        case .flat64, .elf64: try self.init(long: request, image, &layout)
        case .multiboot: try self.init(multiboot: request, image, &layout)
        }
    }

    /// Puts `bytes` at the preferred place or another free one.
    mutating func add(
        _ what: String, _ bytes: [UInt8], at preferred: UInt64, in layout: inout BootLayout
    ) throws(BootError) -> AddressRange {
        let range = try layout.place(what, count: UInt64(bytes.count), preferring: preferred)
        loads.append(.init(address: range.start, source: .bytes(bytes)))
        return range
    }

    /// Puts the GDT into memory.
    /// - Returns: the address of code that halts for good, for the entry to return to.
    @discardableResult
    mutating func addGDT(at preferred: UInt64 = Place.gdt, in layout: inout BootLayout) throws(BootError) -> UInt64 {
        let table = DescriptorTableImage(code: cpu.cs, data: cpu.ds)
        let range = try add("the GDT", table.bytes, at: preferred, in: &layout)
        cpu.gdt = DescriptorTable(base: range.start, limit: UInt16(DescriptorTableImage.byteCount - 1))
        return range.start.rawValue + DescriptorTableImage.byteCount
    }
}

/// What a guest without Multiboot information is told.
struct EntryArguments {
    /// Guest-physical address of a C string.
    let commandLine: UInt64
    /// In bytes.
    let memoryByteCount: UInt64
    let cpuCount: UInt32
    let tscKilohertz: UInt32

    init(_ request: borrowing BootRequest, commandLine: GuestAddress, _ ram: GuestRAM) {
        self.commandLine = commandLine.rawValue
        self.memoryByteCount = ram.byteCount
        self.cpuCount = UInt32(clamping: request.cpuCount)
        self.tscKilohertz = request.tscKilohertz
    }
}

extension BootRequest {
    /// The command line as a C string.
    var commandLineBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(commandLine.utf8.count + 1)
        bytes.appendZeroTerminated(commandLine)
        return bytes
    }
}
