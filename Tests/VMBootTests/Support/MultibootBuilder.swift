/// Builds Multiboot headers, and kernels that are loaded by the addresses in them.
struct MultibootBuilder: Sendable {
    var magic: UInt32 = 0x1bad_b002
    var flags: UInt32 = 0
    /// nil: the right one.
    var checksum: UInt32?
    /// header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; written with flag 16.
    var addresses: [UInt32] = []

    func header() -> [UInt8] {
        let flags = addresses.isEmpty ? self.flags : self.flags | 1 << 16
        var bytes: [UInt8] = []
        for word in [magic, flags, checksum ?? 0 &- (magic &+ flags)] + addresses { bytes.append(number: word) }
        return bytes
    }

    /// A kernel of 256 bytes whose header is at offset 16 and address 0x200010.
    static func kernel(
        header: UInt32 = 0x20_0010, load: UInt32 = 0x20_0000, loadEnd: UInt32 = 0, bssEnd: UInt32 = 0,
        entry: UInt32 = 0x20_0040, flags: UInt32 = 0
    ) -> [UInt8] {
        let builder = MultibootBuilder(flags: flags, addresses: [header, load, loadEnd, bssEnd, entry])
        var bytes = [UInt8](repeating: 0x90, count: 16) + builder.header()
        while bytes.count < 256 { bytes.append(UInt8(truncatingIfNeeded: bytes.count)) }
        return bytes
    }

    /// An ELF that begins its segment with a header.
    static func elf(is64: Bool = false, flags: UInt32 = 0, checksum: UInt32? = nil) -> [UInt8] {
        var builder = ELFBuilder(is64: is64)
        builder.segments[0].bytes = MultibootBuilder(flags: flags, checksum: checksum).header() + Array(1...52)
        builder.segments[0].memorySize = 0x800
        builder.entry = 0x10_000c
        return builder.bytes()
    }
}
