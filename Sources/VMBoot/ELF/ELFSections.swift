/// The section headers of an ELF file and the symbols they lead to (System V gABI, chapter 4, "Sections" and
/// "Symbol Table"). All bounds are there because the file may say anything.
struct ELFSections {
    private static let maximumSections = 16384
    private static let maximumTableBytes: UInt64 = 16 << 20

    private let fileClass: ELFClass
    private let sections: [ELFSection]

    /// - Throws: `BootError` of kind `badImage`; its text is for nobody, as symbols are not needed to run.
    init(_ image: GuestImage) throws(BootError) {
        let header = try ELFHeader(image)
        let table = header.sectionHeaders
        let stride = header.fileClass.sectionHeaderSize
        guard Int(table.stride) == stride, table.count > 0, Int(table.count) <= Self.maximumSections else {
            throw BootError(.badImage, image.name, "has no usable section headers")
        }
        let fields = LittleEndianFields(try image.read(at: table.offset, count: Int(table.count) * stride))
        self.fileClass = header.fileClass
        self.sections = (0..<Int(table.count)).map { index in
            ELFSection(fields.record(index, stride: stride), header.fileClass)
        }
    }

    /// The symbols of the symbol table, or where there is none or a damaged one those of the dynamic one, and the
    /// strings that have their names. A file has one of each kind; looking at more would let it cost any time.
    func symbolSource(of image: GuestImage) -> (symbols: [ELFSymbol], strings: [UInt8])? {
        for type in [ELFSection.symbolTable, ELFSection.dynamicSymbols] {
            if let table = sections.first(where: { $0.type == type }), let found = symbols(in: table, of: image),
                !found.symbols.isEmpty
            {
                return found
            }
        }
        return nil
    }

    private func symbols(in table: ELFSection, of image: GuestImage) -> (symbols: [ELFSymbol], strings: [UInt8])? {
        let stride = fileClass.symbolSize
        guard table.entrySize == UInt64(stride), let index = Int(exactly: table.link), index < sections.count,
            sections[index].type == ELFSection.stringTable,
            let strings = contents(of: sections[index], image), let bytes = contents(of: table, image)
        else { return nil }
        let fields = LittleEndianFields(bytes)
        let symbols = (0..<(bytes.count / stride)).compactMap { index in
            ELFSymbol(fields.record(index, stride: stride), fileClass, sections, strings: strings)
        }
        return (symbols, strings)
    }

    private func contents(of section: ELFSection, _ image: GuestImage) -> [UInt8]? {
        guard section.size <= Self.maximumTableBytes else { return nil }
        return try? image.read(at: section.offset, count: Int(section.size))
    }
}

/// One section header.
struct ELFSection {
    static let symbolTable: UInt32 = 2
    static let stringTable: UInt32 = 3
    static let dynamicSymbols: UInt32 = 11
    private static let executable: UInt64 = 4

    let type: UInt32
    let address: UInt64
    let offset: UInt64
    /// In bytes.
    let size: UInt64
    let link: UInt32
    let entrySize: UInt64
    /// Whether the CPU may run what is in it.
    let isCode: Bool

    init(_ fields: LittleEndianFields, _ fileClass: ELFClass) {
        let wide = fileClass == .elf64
        self.type = fields.number(at: 4)
        self.isCode = fileClass.word(fields, at: 8) & Self.executable != 0
        self.address = fileClass.word(fields, at: wide ? 16 : 12)
        self.offset = fileClass.word(fields, at: wide ? 24 : 16)
        self.size = fileClass.word(fields, at: wide ? 32 : 20)
        self.link = fields.number(at: wide ? 40 : 24)
        self.entrySize = fileClass.word(fields, at: wide ? 56 : 36)
    }
}
