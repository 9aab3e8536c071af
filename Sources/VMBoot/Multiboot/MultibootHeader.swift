/// A Multiboot 1 header (Multiboot Specification 0.6.96, section 3.1).
struct MultibootHeader {
    static let magic: UInt32 = 0x1bad_b002
    /// The header is whole within this many bytes of the file, at a multiple of 4.
    static let searchedBytes = 8192
    private static let plainSize = 12
    private static let sizeWithAddresses = 32

    /// Where it is in the file, in bytes.
    let offset: Int
    let flags: UInt32
    /// The address fields, which are only there with flag 16; nil without it, or where the file ends first.
    let addresses: Addresses?

    struct Addresses {
        let header: UInt32
        let load: UInt32
        let loadEnd: UInt32
        let bssEnd: UInt32
        let entry: UInt32
    }

    enum Search {
        case found(MultibootHeader)
        /// The magic is there, but the header's three words do not add up to zero.
        case badChecksum(BadChecksum)
        case absent
    }

    struct BadChecksum: CustomStringConvertible {
        let offset: Int
        let found: UInt32
        let expected: UInt32

        var description: String {
            "the Multiboot header at offset \(hex(offset)) has checksum \(hex(found)) instead of \(hex(expected))"
        }
    }

    /// Whether the flags promise address fields.
    var hasAddresses: Bool { flags & (1 << 16) != 0 }

    /// The first sound header, or else the first unsound one.
    static func search(_ image: GuestImage) throws(BootError) -> Search {
        let count = Int(min(image.count, UInt64(searchedBytes)))
        let fields = LittleEndianFields(try image.read(at: 0, count: count))
        var unsound: BadChecksum?
        for offset in stride(from: 0, through: count - plainSize, by: 4) {
            guard fields.number(at: offset) == magic else { continue }
            let flags: UInt32 = fields.number(at: offset + 4)
            let checksum: UInt32 = fields.number(at: offset + 8)
            let expected = 0 &- (magic &+ flags)
            if checksum == expected {
                return .found(MultibootHeader(fields, at: offset, flags))
            } else if unsound == nil {
                unsound = BadChecksum(offset: offset, found: checksum, expected: expected)
            }
        }
        return unsound.map { .badChecksum($0) } ?? .absent
    }

    /// Whether an image without a header of Multiboot 1 has one of Multiboot 2 (its specification, section 3.1.1).
    static func hasOnlySecondVersion(_ image: GuestImage) throws(BootError) -> Bool {
        let count = Int(min(image.count, 32768))
        let fields = LittleEndianFields(try image.read(at: 0, count: count))
        return stride(from: 0, through: count - 16, by: 8).contains { offset in
            guard fields.number(at: offset, as: UInt32.self) == 0xe852_50d6 else { return false }
            let words = [4, 8, 12].map { fields.number(at: offset + $0, as: UInt32.self) }
            return 0xe852_50d6 &+ words[0] &+ words[1] &+ words[2] == 0
        }
    }

    private init(_ fields: LittleEndianFields, at offset: Int, _ flags: UInt32) {
        self.offset = offset
        self.flags = flags
        guard flags & (1 << 16) != 0, offset + Self.sizeWithAddresses <= fields.count else {
            self.addresses = nil
            return
        }
        self.addresses = Addresses(
            header: fields.number(at: offset + 12), load: fields.number(at: offset + 16),
            loadEnd: fields.number(at: offset + 20), bssEnd: fields.number(at: offset + 24),
            entry: fields.number(at: offset + 28))
    }
}

extension MultibootHeader {
    /// - Throws: `BootError` of kind `badImage` for a required flag (bits 0 to 15) that asks for what there is
    ///   not. Page-aligned modules (0) and memory information (1) are always given; a loader that cannot
    ///   serve a required bit must refuse, so video modes (2) are refused.
    func checkRequiredFlags(of image: GuestImage) throws(BootError) {
        for bit in 2..<16 where flags & (1 << bit) != 0 {
            let what =
                bit == 2 ? "a video mode, and this machine has no display" : "something this loader does not know"
            throw BootError(
                .badImage, image.name,
                "the Multiboot header at offset \(hex(offset)) requires flag bit \(bit), \(what); "
                    + "build it without that bit")
        }
    }
}
