/// A symbol in executable code.
struct ELFSymbol {
    /// Mangled names get long; a name without an end must not fill the screen.
    static let maximumName = 1024

    private static let noType: UInt8 = 0
    private static let function: UInt8 = 2

    /// Its offset in the string table.
    let name: Int
    let address: UInt64
    /// The first address past it.
    var end: UInt64
    let hasSize: Bool
    /// Which of several at one address is the better name.
    private let rank: UInt8

    /// - Returns: nil for what is no name of code: other types, other sections, no name, an address outside
    ///   its section.
    init?(_ fields: LittleEndianFields, _ fileClass: ELFClass, _ sections: [ELFSection], strings: [UInt8]) {
        let wide = fileClass == .elf64
        let info: UInt8 = fields.number(at: wide ? 4 : 12)
        let sectionIndex = Int(fields.number(at: wide ? 6 : 14, as: UInt16.self))
        guard info & 0xf == Self.noType || info & 0xf == Self.function,
            sectionIndex > 0, sectionIndex < sections.count, sections[sectionIndex].isCode
        else { return nil }
        let name = Int(fields.number(at: 0, as: UInt32.self))
        guard name < strings.count, strings[name] != 0 else { return nil }
        let section = sections[sectionIndex]
        let address = fileClass.word(fields, at: wide ? 8 : 4)
        let size = fileClass.word(fields, at: wide ? 16 : 8)
        let sectionEnd = section.address.addingSaturating(section.size)
        guard address >= section.address, address < sectionEnd else { return nil }
        self.name = name
        self.address = address
        self.end = size > 0 ? address.addingSaturating(size) : sectionEnd
        self.hasSize = size > 0
        let isGlobal = info >> 4 != 0
        self.rank = (info & 0xf == Self.function ? 4 : 0) | (hasSize ? 2 : 0) | (isGlobal ? 1 : 0)
    }

    /// By address, and the better name last.
    static func isOrdered(_ left: ELFSymbol, _ right: ELFSymbol) -> Bool {
        (left.address, left.rank, right.name) < (right.address, right.rank, left.name)
    }
}
