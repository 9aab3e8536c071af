import VMAddressSpace

extension EntryEnvironment {
    /// 32-bit protected mode with the arguments in registers and on the stack (System V ABI, Intel386
    /// supplement, "Function Calling Sequence").
    init(
        protected request: borrowing BootRequest, _ image: PlacedImage, _ layout: inout BootLayout
    ) throws(BootError) {
        self.loads = image.loads
        self.cpu = Self.protectedMode(image.entry)
        let halt = try addGDT(in: &layout)
        let line = try add("the command line", request.commandLineBytes, at: Place.commandLine, in: &layout)
        let stack = try layout.place("the stack", count: Self.stackByteCount, preferring: Place.stack)
        let arguments = EntryArguments(request, commandLine: line.start, layout.ram)
        let words = [
            UInt32(clamping: arguments.commandLine), UInt32(clamping: arguments.memoryByteCount),
            arguments.cpuCount, arguments.tscKilohertz,
        ]
        cpu.registers.rdi = UInt64(words[0])
        cpu.registers.rsi = UInt64(words[1])
        cpu.registers.rdx = UInt64(words[2])
        cpu.registers.rcx = UInt64(words[3])

        // The return address, then the arguments as the last 16 bytes: so ESP + 4 is a multiple of 16.
        var frame: [UInt8] = []
        for word in [UInt32(clamping: halt)] + words { frame.appendLittleEndian(word) }
        let top = stack.last.rawValue + 1 - UInt64(frame.count)
        cpu.registers.rsp = top
        loads.append(.init(address: GuestAddress(top), source: .bytes(frame)))
    }

    /// What `flat32`, `elf32` and Multiboot have in common; the GDT is not in memory yet.
    static func protectedMode(_ entry: GuestAddress) -> InitialCPUState {
        InitialCPUState(
            mode: .protected32, rip: entry.rawValue, cs: .flatCode32, ds: .flatData, es: .flatData, fs: .flatData,
            gs: .flatData, ss: .flatData, gdt: DescriptorTable(base: GuestAddress(0), limit: 0),
            idt: DescriptorTable(base: GuestAddress(0), limit: 0),
            cr0: ControlBits.cr0ProtectionEnable | ControlBits.cr0ExtensionType)
    }
}
