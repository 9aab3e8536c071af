/// The GDT's bytes: the null descriptor, code at 0x08 and data at 0x10, the same as in the segment registers. After it
/// comes the code that an entry function returns to.
struct DescriptorTableImage {
    /// Of the table alone, which is also where the code begins.
    static let byteCount: UInt64 = 24
    /// `cli; 1: hlt; jmp 1b`, the same in 32-bit and in 64-bit code.
    private static let haltCode: [UInt8] = [0xfa, 0xf4, 0xeb, 0xfd]
    let bytes: [UInt8]

    init(code: Segment, data: Segment) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(Self.byteCount) + Self.haltCode.count)
        bytes.appendLittleEndian(UInt64(0))
        bytes.appendLittleEndian(code.descriptor)
        bytes.appendLittleEndian(data.descriptor)
        bytes += Self.haltCode
        self.bytes = bytes
    }
}
