/// An ELF image with one function and a symbol for it.
enum TinyELF {
    /// - Parameters:
    ///   - address: where the function is.
    ///   - count: its size in bytes.
    static func image(function name: String, at address: UInt64, count: UInt64) -> [UInt8] {
        var image: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        let strings: [UInt8] = [0] + Array(name.utf8) + [0]
        let code: UInt64 = 64 + 56 + 4 * 64
        let symbols = code + count
        let names = symbols + 48
        image +=
            bytes(2, 2) + bytes(62, 2) + bytes(1, 4) + bytes(address, 8) + bytes(64, 8) + bytes(120, 8) + bytes(0, 4)
        image += bytes(64, 2) + bytes(56, 2) + bytes(1, 2) + bytes(64, 2) + bytes(4, 2) + bytes(0, 2)
        image += bytes(1, 4) + bytes(5, 4) + bytes(code, 8) + bytes(address, 8) + bytes(address, 8)
        image += bytes(count, 8) + bytes(count, 8) + bytes(1, 8)
        image += [UInt8](repeating: 0, count: 64)
        image += section(type: 1, flags: 6, address: address, code, count, link: 0, entry: 0)
        image += section(type: 2, flags: 0, address: 0, symbols, 48, link: 3, entry: 24)
        image += section(type: 3, flags: 0, address: 0, names, UInt64(strings.count), link: 0, entry: 0)
        image += [UInt8](repeating: 0x90, count: Int(count)) + [UInt8](repeating: 0, count: 24)
        image += bytes(1, 4) + bytes(0x12, 1) + bytes(0, 1) + bytes(1, 2) + bytes(address, 8) + bytes(count, 8)
        return image + strings
    }

    private static func section(
        type: UInt64, flags: UInt64, address: UInt64, _ offset: UInt64, _ size: UInt64, link: UInt64, entry: UInt64
    ) -> [UInt8] {
        bytes(0, 4) + bytes(type, 4) + bytes(flags, 8) + bytes(address, 8) + bytes(offset, 8) + bytes(size, 8)
            + bytes(link, 4) + bytes(1, 4) + bytes(1, 8) + bytes(entry, 8)
    }

    private static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }
}
