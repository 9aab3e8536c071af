/// The GDT's bytes: the null descriptor, code at 0x08 and data at 0x10, the same as in the segment registers.
struct DescriptorTableImage {
    static let byteCount: UInt64 = 24
    let bytes: [UInt8]

    init(code: Segment, data: Segment) {
        var bytes: [UInt8] = []
        for descriptor in [0, code.descriptor, data.descriptor] {
            bytes.appendLittleEndian(descriptor)
        }
        self.bytes = bytes
    }
}
