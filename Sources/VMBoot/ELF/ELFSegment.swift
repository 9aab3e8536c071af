import VMAddressSpace

/// A loadable segment, checked against its file: `image` bytes from `fileOffset` on exist, and no sum of its
/// numbers overflows (System V gABI, chapter 5, "Program Header").
struct ELFSegment {
    /// Its number in the program header table.
    let index: Int
    let fileOffset: UInt64
    /// How many of its bytes are in the file; the others are zero.
    let fileCount: UInt64
    let physical: AddressRange
    let virtual: AddressRange

    /// The guest-physical address of a linked one, if it is in this segment.
    func physicalAddress(of address: UInt64) -> GuestAddress? {
        guard virtual.contains(GuestAddress(address)) else { return nil }
        return physical.start.advanced(byBytes: address - virtual.start.rawValue)
    }

    /// The linked address of a guest-physical one, if it is in this segment.
    func virtualAddress(of address: UInt64) -> UInt64? {
        guard physical.contains(GuestAddress(address)) else { return nil }
        return virtual.start.rawValue + (address - physical.start.rawValue)
    }

    /// What has to be put into memory for it.
    var loads: [BootPlan.Load] {
        var loads: [BootPlan.Load] = []
        if fileCount > 0 {
            loads.append(.init(address: physical.start, source: .image(offset: fileOffset, count: fileCount)))
        }
        if physical.count > fileCount, let zeros = physical.start.advanced(byBytes: fileCount) {
            loads.append(.init(address: zeros, source: .zeros(count: physical.count - fileCount)))
        }
        return loads
    }
}

/// One entry of the program header table, as it is in the file.
struct ELFProgramHeader {
    static let load: UInt32 = 1
    static let interpreter: UInt32 = 3

    let index: Int
    let type: UInt32
    let offset: UInt64
    let virtualAddress: UInt64
    let physicalAddress: UInt64
    let fileSize: UInt64
    let memorySize: UInt64

    init(_ fields: LittleEndianFields, _ fileClass: ELFClass, index: Int) {
        let wide = fileClass == .elf64
        self.index = index
        self.type = fields.number(at: 0)
        self.offset = fileClass.word(fields, at: wide ? 8 : 4)
        self.virtualAddress = fileClass.word(fields, at: wide ? 16 : 8)
        self.physicalAddress = fileClass.word(fields, at: wide ? 24 : 12)
        self.fileSize = fileClass.word(fields, at: wide ? 32 : 16)
        self.memorySize = fileClass.word(fields, at: wide ? 40 : 20)
    }

    /// - Returns: nil for a segment without memory.
    /// - Throws: `BootError` of kind `badImage`.
    func segment(of image: GuestImage) throws(BootError) -> ELFSegment? {
        guard fileSize <= memorySize else {
            throw bad(image, "has more bytes in the file (\(hex(fileSize))) than in memory (\(hex(memorySize)))")
        }
        guard memorySize > 0 else { return nil }
        let (end, overflow) = offset.addingReportingOverflow(fileSize)
        guard fileSize == 0 || (!overflow && end <= image.count) else {
            throw bad(
                image,
                "has \(hex(fileSize)) bytes at offset \(hex(offset)), past the file's end at \(hex(image.count)); "
                    + "the file is cut short")
        }
        guard let physical = AddressRange(start: GuestAddress(physicalAddress), count: memorySize),
            let virtual = AddressRange(start: GuestAddress(virtualAddress), count: memorySize)
        else {
            throw bad(image, "has \(hex(memorySize)) bytes at \(hex(physicalAddress)), past the end of all addresses")
        }
        return ELFSegment(
            index: index, fileOffset: offset, fileCount: fileSize, physical: physical, virtual: virtual)
    }

    private func bad(_ image: GuestImage, _ problem: String) -> BootError {
        BootError(.badImage, image.name, "segment \(index) \(problem)")
    }
}
