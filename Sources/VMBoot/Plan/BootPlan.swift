import VMAddressSpace

/// How to start a guest: what goes where in its memory and the state of its first vCPU. Making one reads the
/// image's headers and touches nothing of the guest; `load(into:)` applies it.
///
/// All loads are in the RAM of the request and none overlaps another.
public struct BootPlan: Sendable {
    /// One piece of guest memory and what goes there.
    public struct Load: Hashable, Sendable {
        /// Where the bytes come from.
        public enum Source: Hashable, Sendable {
            /// Bytes of the guest image, from `offset` in it on.
            case image(offset: UInt64, count: UInt64)
            /// All `count` bytes of module number `index`.
            case module(index: Int, count: UInt64)
            case bytes([UInt8])
            /// The page tables of 64-bit mode.
            case pageTables(IdentityPageTables)
            case zeros(count: UInt64)
        }

        /// Where the first byte goes.
        public let address: GuestAddress
        /// What goes there.
        public let source: Source

        /// In bytes.
        public var count: UInt64 {
            switch source {
            case .image(_, let count), .module(_, let count), .zeros(let count): count
            case .bytes(let bytes): UInt64(bytes.count)
            case .pageTables: IdentityPageTables.byteCount
            }
        }
    }

    /// The format the image was read as.
    public let format: ImageFormat
    /// The guest-physical address of the first instruction.
    public let entry: GuestAddress
    /// The image's first, then the modules, then what the format adds.
    public private(set) var loads: [Load]
    /// The first vCPU at `entry`.
    public private(set) var cpu: InitialCPUState

    let image: GuestImage
    let modules: [GuestImage]

    /// Works out where everything goes.
    /// - Throws: `BootError` of every kind but `noSuchInput`, `notPermitted` and `memoryFailure`.
    public init(_ request: borrowing BootRequest) throws(BootError) {
        let image = request.image
        guard image.count > 0 else {
            throw BootError(.badImage, image.name, "is empty; was it written completely?")
        }
        let format: ImageFormat
        if let asked = request.format {
            format = asked
        } else {
            format = try ImageFormat(detecting: image)
        }
        try request.checkOptions(for: format)
        let ram = GuestRAM(request.memory)
        let placed = try Self.place(request, format, ram)
        var layout = BootLayout(ram: ram, image: placed.loads, subject: image.name)
        let environment = try EntryEnvironment(format, request, placed, &layout)
        self.format = format
        self.entry = placed.entry
        self.loads = environment.loads
        self.cpu = environment.cpu
        self.image = image
        self.modules = request.modules.map(\.image)
    }

    /// Tells the guest the rate of its time-stamp counter, for a caller who learns it only after planning. Formats that
    /// have no place for it stay as they are.
    /// - Parameter kilohertz: as `BootRequest.tscKilohertz`.
    public mutating func setTSCFrequency(kilohertz: UInt32) {
        switch format {
        case .flat16, .multiboot:
            return
        case .flat64, .elf64:
            cpu.registers.rcx = UInt64(kilohertz)
        case .flat32, .elf32:
            cpu.registers.rcx = UInt64(kilohertz)
            // It is the last argument on the stack, too.
            guard let index = loads.firstIndex(where: { $0.address.rawValue == cpu.registers.rsp }),
                case .bytes(let frame) = loads[index].source, frame.count >= 4
            else { return }
            var bytes = Array(frame.dropLast(4))
            bytes.appendLittleEndian(kilohertz)
            loads[index] = Load(address: loads[index].address, source: .bytes(bytes))
        }
    }

    private static func place(
        _ request: BootRequest, _ format: ImageFormat, _ ram: GuestRAM
    ) throws(BootError) -> PlacedImage {
        switch format {
        case .flat16, .flat32, .flat64:
            return try PlacedImage(flat: format, request, ram)
        case .elf32:
            return try PlacedImage(try ELFExecutable(request.image, as: .elf32), request, ram)
        case .elf64:
            let placed = try PlacedImage(try ELFExecutable(request.image, as: .elf64), request, ram)
            guard placed.entry.rawValue < 1 << 32 else {
                throw BootError(
                    .badImage, request.image.name,
                    "its entry point \(placed.entry) is above 4 GiB, where the initial page tables end; link it lower")
            }
            return placed
        case .multiboot:
            let placed = try PlacedImage(multiboot: request, ram)
            guard placed.entry.rawValue < 1 << 32 else {
                throw BootError(
                    .badImage, request.image.name,
                    "its entry point \(placed.entry) is above 4 GiB, where 32-bit protected mode ends; link it lower")
            }
            return placed
        }
    }
}
