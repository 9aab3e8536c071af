/// Builds ELF executables, sound ones unless told otherwise.
struct ELFBuilder: Sendable {
    struct Segment: Sendable {
        var type: UInt32 = 1
        var physical: UInt64 = 0x10_0000
        /// nil: the same as the physical one.
        var virtual: UInt64?
        var bytes: [UInt8] = Array(1...32)
        var memorySize: UInt64?
        /// nil: the truth.
        var offset: UInt64?
        var fileSize: UInt64?
    }

    struct Symbol: Sendable {
        var name: String
        var address: UInt64
        var size: UInt64 = 0
        /// STT_FUNC.
        var type: UInt8 = 2
        /// STB_GLOBAL.
        var binding: UInt8 = 1
        /// The number of the section with the code.
        var section: UInt16 = 1
        var nameOffset: UInt32?
    }

    var is64 = true
    var type: UInt16 = 2
    var machine: UInt16?
    var entry: UInt64 = 0x10_0000
    var segments = [Segment()]
    var symbols: [Symbol] = []
    /// SHT_SYMTAB.
    var symbolTableType: UInt32 = 2
    /// Where the section with the code is, and how long.
    var code: (address: UInt64, size: UInt64) = (0x10_0000, 0x1000)
    var programHeaderOffset: UInt64?
    var programHeaderSize: UInt16?
    var programHeaderCount: UInt16?

    private var headerSize: Int { is64 ? 64 : 52 }
    private var programHeaderStride: Int { is64 ? 56 : 32 }

    func bytes() -> [UInt8] {
        var contents: [UInt8] = []
        var offsets: [UInt64] = []
        let start = (headerSize + segments.count * programHeaderStride + 15) & ~15
        for segment in segments {
            offsets.append(UInt64(start + contents.count))
            contents += segment.bytes
            contents.pad(to: 16)
        }
        var file: [UInt8] = []
        for (segment, offset) in zip(segments, offsets) { append(segment, at: offset, to: &file) }
        file = header(sectionOffset: symbols.isEmpty ? 0 : UInt64(start + contents.count)) + file
        file.pad(to: 16)
        file += contents
        if !symbols.isEmpty { appendSections(to: &file) }
        return file
    }

    private func header(sectionOffset: UInt64) -> [UInt8] {
        var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
        header.append(number: type)
        header.append(number: machine ?? (is64 ? 62 : 3))
        header.append(number: 1 as UInt32)
        append(word: entry, to: &header)
        append(word: programHeaderOffset ?? UInt64(headerSize), to: &header)
        append(word: sectionOffset, to: &header)
        header.append(number: 0 as UInt32)
        header.append(number: UInt16(headerSize))
        header.append(number: programHeaderSize ?? UInt16(programHeaderStride))
        header.append(number: programHeaderCount ?? UInt16(segments.count))
        header.append(number: UInt16(is64 ? 64 : 40))
        header.append(number: UInt16(symbols.isEmpty ? 0 : 4))
        header.append(number: UInt16(symbols.isEmpty ? 0 : 3))
        return header
    }

    private func append(_ segment: Segment, at offset: UInt64, to file: inout [UInt8]) {
        let fileSize = segment.fileSize ?? UInt64(segment.bytes.count)
        file.append(number: segment.type)
        if is64 { file.append(number: 7 as UInt32) }
        append(word: segment.offset ?? offset, to: &file)
        append(word: segment.virtual ?? segment.physical, to: &file)
        append(word: segment.physical, to: &file)
        append(word: fileSize, to: &file)
        append(word: segment.memorySize ?? fileSize, to: &file)
        if !is64 { file.append(number: 7 as UInt32) }
        append(word: 16, to: &file)
    }

    /// The null section, the code, the symbols and the strings: headers first.
    private func appendSections(to file: inout [UInt8]) {
        var strings: [UInt8] = [0]
        var table = [UInt8](repeating: 0, count: is64 ? 24 : 16)
        for symbol in symbols {
            append(symbol, name: symbol.nameOffset ?? UInt32(strings.count), to: &table)
            strings += Array(symbol.name.utf8) + [0]
        }
        let tables = UInt64(file.count + 4 * (is64 ? 64 : 40))
        let stride: UInt64 = is64 ? 24 : 16
        appendSection(0, 0, (0, 0, 0), link: 0, 0, to: &file)
        appendSection(1, 6, (code.address, 0, code.size), link: 0, 0, to: &file)
        appendSection(symbolTableType, 0, (0, tables, UInt64(table.count)), link: 3, stride, to: &file)
        appendSection(3, 0, (0, tables + UInt64(table.count), UInt64(strings.count)), link: 0, 0, to: &file)
        file += table + strings
    }

    private func append(_ symbol: Symbol, name: UInt32, to table: inout [UInt8]) {
        let info = symbol.binding << 4 | symbol.type
        table.append(number: name)
        if is64 {
            table += [info, 0]
            table.append(number: symbol.section)
        }
        append(word: symbol.address, to: &table)
        append(word: symbol.size, to: &table)
        if !is64 {
            table += [info, 0]
            table.append(number: symbol.section)
        }
    }

    private func appendSection(
        _ type: UInt32, _ flags: UInt64, _ place: (address: UInt64, offset: UInt64, size: UInt64), link: UInt32,
        _ entrySize: UInt64, to file: inout [UInt8]
    ) {
        file.append(number: 0 as UInt32)
        file.append(number: type)
        for word in [flags, place.address, place.offset, place.size] { append(word: word, to: &file) }
        file.append(number: link)
        file.append(number: 0 as UInt32)
        append(word: 1, to: &file)
        append(word: entrySize, to: &file)
    }

    private func append(word: UInt64, to bytes: inout [UInt8]) {
        if is64 {
            bytes.append(number: word)
        } else {
            bytes.append(number: UInt32(truncatingIfNeeded: word))
        }
    }
}
