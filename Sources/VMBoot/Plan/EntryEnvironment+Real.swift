import VMAddressSpace

extension EntryEnvironment {
    private static let realStack: UInt64 = 0x6c00
    private static let realStackByteCount = PageSize.size4K.bytes
    private static let realCommandLine: UInt64 = 0x500
    /// The first hard disk, as firmware calls it.
    private static let bootDrive: UInt64 = 0x80

    /// Real mode as firmware enters a boot sector.
    init(
        real request: borrowing BootRequest, _ image: PlacedImage, _ layout: inout BootLayout
    ) throws(BootError) {
        self.loads = image.loads
        let code = RealPointer(entry: image.entry.rawValue, loaded: request.loadAddress?.rawValue ?? 0x7c00)
        self.cpu = InitialCPUState(
            mode: .real, rip: code.offset, cs: .realCode(code.segment), ds: .realData(0), es: .realData(0),
            fs: .realData(0), gs: .realData(0), ss: .realData(0),
            gdt: DescriptorTable(base: GuestAddress(0), limit: 0),
            idt: DescriptorTable(base: GuestAddress(0), limit: 0x3ff), cr0: ControlBits.cr0ExtensionType)
        let windows = [BootLayout.firstSegment, BootLayout.conventional]

        let stack = try layout.place(
            "the stack", count: Self.realStackByteCount, preferring: Self.realStack, in: windows, alignment: 16)
        let bottom = RealPointer(data: stack.start.rawValue, byteCount: Self.realStackByteCount)
        cpu.ss = .realData(bottom.segment)
        cpu.registers.rsp = bottom.offset + Self.realStackByteCount

        let bytes = request.commandLineBytes
        let line = try layout.place(
            "the command line", count: UInt64(bytes.count), preferring: Self.realCommandLine, in: windows,
            alignment: 16)
        loads.append(.init(address: line.start, source: .bytes(bytes)))
        let pointer = RealPointer(data: line.start.rawValue, byteCount: UInt64(bytes.count))
        cpu.ds = .realData(pointer.segment)
        cpu.registers.rsi = pointer.offset
        cpu.registers.rdx = Self.bootDrive
    }
}

/// `segment:offset`, for an address below 1 MiB.
private struct RealPointer {
    let segment: UInt16
    let offset: UInt64

    private init(paragraph: UInt64, address: UInt64) {
        // Below 1 MiB a paragraph number has 16 bits.
        segment = UInt16(truncatingIfNeeded: paragraph)
        offset = address - paragraph << 4
    }

    /// Segment 0 for an image in the first 64 KiB, otherwise the image's own paragraph, as long as the offset
    /// then fits 16 bits.
    init(entry: UInt64, loaded: UInt64) {
        let paragraph = loaded <= 0xffff ? 0 : loaded >> 4
        let fits = paragraph << 4 <= entry && entry - paragraph << 4 <= 0xffff
        self.init(paragraph: fits ? paragraph : entry >> 4, address: entry)
    }

    /// Segment 0 for data that ends in the first 64 KiB, otherwise the data's own paragraph.
    init(data: UInt64, byteCount: UInt64) {
        self.init(paragraph: data + byteCount <= 0x1_0000 ? 0 : data >> 4, address: data)
    }
}
