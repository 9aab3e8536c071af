import VMAddressSpace

extension EntryEnvironment {
    /// 64-bit mode as Intel SDM volume 3A, section 11.8.5, "Initializing IA-32e Mode", leaves it, with the
    /// arguments as in the System V ABI, AMD64 supplement, section 3.2.3.
    init(
        long request: borrowing BootRequest, _ image: PlacedImage, _ layout: inout BootLayout
    ) throws(BootError) {
        self.loads = image.loads
        self.cpu = InitialCPUState(
            mode: .long64, rip: image.entry.rawValue, cs: .flatCode64, ds: .flatData, es: .flatData, fs: .flatData,
            gs: .flatData, ss: .flatData, gdt: DescriptorTable(base: GuestAddress(0), limit: 0),
            idt: DescriptorTable(base: GuestAddress(0), limit: 0), cr0: Self.longCR0, cr4: Self.longCR4,
            efer: ControlBits.eferLongModeEnable | ControlBits.eferLongModeActive)
        loads.reserveCapacity(loads.count + 4)
        // First, so that nothing is put where a null pointer leads.
        let nullPage = layout.takeIfFree(page: 0)
        let halt = try addGDT(at: Place.longGDT, in: &layout)
        let tables = try layout.place(
            "the page tables", count: IdentityPageTables.byteCount, preferring: Place.pageTables)
        let line = try add("the command line", request.commandLineBytes, at: Place.commandLine, in: &layout)
        let stack = try layout.place("the stack", count: Self.stackByteCount, preferring: Place.stack)
        // A stack put elsewhere may have the image below it.
        let stackGuard = stack.start.rawValue == Place.stack ? layout.takeIfFree(page: Place.stackGuard) : nil
        let contents = IdentityPageTables(at: tables.start, without: nullPage, stackGuard)
        loads.append(.init(address: tables.start, source: .pageTables(contents)))
        cpu.cr3 = tables.start.rawValue

        let arguments = EntryArguments(request, commandLine: line.start, layout.ram)
        cpu.registers.rdi = arguments.commandLine
        cpu.registers.rsi = arguments.memoryByteCount
        cpu.registers.rdx = UInt64(arguments.cpuCount)
        cpu.registers.rcx = UInt64(arguments.tscKilohertz)

        // The return address is the stack's last 8 bytes: so RSP + 8 is a multiple of 16.
        cpu.registers.rsp = stack.last.rawValue - 7
        var returnAddress: [UInt8] = []
        returnAddress.appendLittleEndian(halt)
        loads.append(.init(address: GuestAddress(cpu.registers.rsp), source: .bytes(returnAddress)))
    }

    private static let longCR0 =
        ControlBits.cr0ProtectionEnable | ControlBits.cr0MonitorCoprocessor | ControlBits.cr0ExtensionType
        | ControlBits.cr0NumericError | ControlBits.cr0WriteProtect | ControlBits.cr0Paging
    private static let longCR4 =
        ControlBits.cr4PhysicalAddressExtension | ControlBits.cr4OSFXSR | ControlBits.cr4OSXMMEXCPT
}
