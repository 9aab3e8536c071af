/// The ELF header, as far as it says how to read the rest of the file (System V gABI, chapter 4, "ELF Header").
struct ELFHeader {
    let fileClass: ELFClass
    let type: UInt16
    let machine: UInt16
    let entry: UInt64
    let programHeaders: ELFTable
    let sectionHeaders: ELFTable

    static func isMagic(of image: GuestImage) throws(BootError) -> Bool {
        guard image.count >= 4 else { return false }
        return try image.read(at: 0, count: 4) == [0x7f, 0x45, 0x4c, 0x46]
    }

    /// Reads the header; what it says about type, machine and tables is for others to check.
    /// - Throws: `BootError` of kind `badImage` where this is no ELF, one of another class or byte order than
    ///   x86 has, or one that is cut short.
    init(_ image: GuestImage) throws(BootError) {
        guard try Self.isMagic(of: image) else {
            throw BootError(.badImage, image.name, "is not an ELF file (no magic at offset 0)")
        }
        let identification = try Self.read(image, 16)
        guard let fileClass = ELFClass(rawValue: identification.number(at: 4)) else {
            throw Self.bad(image, 4, "class \(identification.number(at: 4, as: UInt8.self)) is neither 32 nor 64 bit")
        }
        let order = identification.number(at: 5, as: UInt8.self)
        guard order == 1 else {
            throw Self.bad(image, 5, "byte order \(order) is not little-endian (1), as x86 is")
        }
        let version = identification.number(at: 6, as: UInt8.self)
        guard version == 1 else {
            throw Self.bad(image, 6, "ELF version \(version) is not 1")
        }
        self.init(fileClass, try Self.read(image, fileClass.headerSize))
    }

    private init(_ fileClass: ELFClass, _ fields: LittleEndianFields) {
        let wide = fileClass == .elf64
        self.fileClass = fileClass
        self.type = fields.number(at: 16)
        self.machine = fields.number(at: 18)
        self.entry = fileClass.word(fields, at: 24)
        self.programHeaders = ELFTable(
            offset: fileClass.word(fields, at: wide ? 32 : 28),
            stride: fields.number(at: wide ? 54 : 42), count: fields.number(at: wide ? 56 : 44))
        self.sectionHeaders = ELFTable(
            offset: fileClass.word(fields, at: wide ? 40 : 32),
            stride: fields.number(at: wide ? 58 : 46), count: fields.number(at: wide ? 60 : 48))
    }

    private static func read(_ image: GuestImage, _ count: Int) throws(BootError) -> LittleEndianFields {
        guard image.count >= UInt64(count) else {
            throw BootError(
                .badImage, image.name,
                "is cut short: it has \(byteText(image.count)), and its ELF header alone needs \(count)")
        }
        return LittleEndianFields(try image.read(at: 0, count: count))
    }

    private static func bad(_ image: GuestImage, _ offset: Int, _ problem: String) -> BootError {
        BootError(.badImage, image.name, "\(problem) (ELF header, offset \(offset)); is this an x86 executable?")
    }
}

/// A table of records in an ELF file, as the header gives it.
struct ELFTable {
    let offset: UInt64
    /// The size of one record in bytes.
    let stride: UInt16
    let count: UInt16
}

/// The two layouts of an ELF file's records.
enum ELFClass: UInt8 {
    case elf32 = 1
    case elf64 = 2

    var headerSize: Int { self == .elf64 ? 64 : 52 }
    var programHeaderSize: Int { self == .elf64 ? 56 : 32 }
    var sectionHeaderSize: Int { self == .elf64 ? 64 : 40 }
    var symbolSize: Int { self == .elf64 ? 24 : 16 }

    /// The machine number of x86 for this class: EM_X86_64 or EM_386.
    var machine: UInt16 { self == .elf64 ? 62 : 3 }
    var name: String { self == .elf64 ? "ELF64" : "ELF32" }

    /// An address, offset or size: 4 or 8 bytes.
    func word(_ fields: LittleEndianFields, at offset: Int) -> UInt64 {
        switch self {
        case .elf32: UInt64(fields.number(at: offset, as: UInt32.self))
        case .elf64: fields.number(at: offset)
        }
    }
}
