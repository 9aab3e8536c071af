import VMAddressSpace

/// The functions and labels in an ELF image's code, for naming an address in a crash report. Made when it is
/// needed; it holds the symbols' strings, which can be as large as the code.
public struct SymbolTable: Sendable {
    private let symbols: [ELFSymbol]
    private let strings: [UInt8]
    private let segments: [ELFSegment]

    /// - Returns: nil where the image is no ELF, has no symbols (of code), or where its section and symbol
    ///   tables are damaged or beyond all measure.
    public init?(_ image: GuestImage) {
        guard let file = try? ELFSections(image), let source = file.symbolSource(of: image) else { return nil }
        var symbols = source.symbols
        guard !symbols.isEmpty else { return nil }
        symbols.sort(by: ELFSymbol.isOrdered)
        // A symbol without a size goes on to the next one, at most to its section's end.
        var next = UInt64.max
        for index in symbols.indices.reversed() {
            if index + 1 < symbols.count, symbols[index + 1].address > symbols[index].address {
                next = symbols[index + 1].address
            }
            if !symbols[index].hasSize { symbols[index].end = min(symbols[index].end, next) }
        }
        self.symbols = symbols
        self.strings = source.strings
        self.segments = (try? ELFExecutable(image, as: nil))?.segments ?? []
    }

    /// The symbol that covers `address`, the innermost where several do, and how far into it that is, in
    /// bytes. An address that none covers is tried as a physical one of a segment that is linked elsewhere.
    public func symbol(at address: UInt64) -> (name: String, offset: UInt64)? {
        if let found = lookUp(address) { return found }
        for segment in segments where segment.physical.start != segment.virtual.start {
            if let linked = segment.virtualAddress(of: address), let found = lookUp(linked) { return found }
        }
        return nil
    }

    private func lookUp(_ address: UInt64) -> (name: String, offset: UInt64)? {
        let above = symbols.partitioningIndex { $0.address > address }
        // Of those at one address the best is last; further down only a larger one can still reach here.
        guard let symbol = symbols[..<above].last(where: { address < $0.end }) else { return nil }
        return (name(symbol), address - symbol.address)
    }

    private func name(_ symbol: ELFSymbol) -> String {
        let bytes = strings.dropFirst(symbol.name).prefix(ELFSymbol.maximumName).prefix { $0 != 0 }
        return String(decoding: bytes, as: UTF8.self).escapingControlCharacters
    }
}
