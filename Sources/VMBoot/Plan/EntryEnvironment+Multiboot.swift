import VMAddressSpace

extension EntryEnvironment {
    /// EAX at a Multiboot kernel's entry.
    private static let bootMagic: UInt64 = 0x2bad_b002
    /// Where modules may start: PC kernels take what is below for old devices and firmware.
    private static let modulesFloor: UInt64 = 0x10_0000

    /// The machine state of the Multiboot Specification 0.6.96, section 3.2: protected mode as elsewhere, but
    /// the kernel makes its own stack.
    init(
        multiboot request: borrowing BootRequest, _ image: PlacedImage, _ layout: inout BootLayout
    ) throws(BootError) {
        self.loads = image.loads
        self.cpu = Self.protectedMode(image.entry)
        let modules = try Self.placeModules(request, &layout)
        for (index, module) in modules.enumerated() {
            loads.append(.init(address: module.start, source: .module(index: index, count: module.count)))
        }
        try addGDT(in: &layout)
        let information = MultibootInformation(
            commandLine: request.commandLine,
            modules: zip(modules, request.modules).map { .init(range: $0, commandLine: $1.commandLine) },
            ram: layout.ram)
        let size = UInt64(information.bytes(at: 0).count)
        let range = try layout.place("the Multiboot information", count: size, preferring: Place.multibootInformation)
        // The layout gives nothing above 4 GiB.
        let bytes = information.bytes(at: UInt32(clamping: range.start.rawValue))
        loads.append(.init(address: range.start, source: .bytes(bytes)))
        cpu.registers.rax = Self.bootMagic
        cpu.registers.rbx = range.start.rawValue
    }

    /// Each on pages of its own, above the kernel if there is room.
    private static func placeModules(
        _ request: borrowing BootRequest, _ layout: inout BootLayout
    ) throws(BootError) -> [AddressRange] {
        let limit = BootLayout.below4GiB.upperBound
        let floor = max(layout.lastOccupied(below: limit) ?? 0, modulesFloor)
        var ranges: [AddressRange] = []
        for module in request.modules {
            ranges.append(
                try layout.place(
                    "the module \(module.image.name)", count: module.image.count, preferring: nil,
                    in: [floor..<limit, BootLayout.below4GiB]))
        }
        return ranges
    }
}
