/// Little-endian numbers at offsets in a file's header.
struct LittleEndianFields {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    var count: Int { bytes.count }

    /// The number at `offset`. Bytes past the end read as zero: whoever must tell a short header from a
    /// zero one asks for the count first.
    func number<Number: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        at offset: Int, as type: Number.Type = Number.self
    ) -> Number {
        let size = MemoryLayout<Number>.size
        if offset >= 0, offset <= bytes.count - size {
            return bytes.withUnsafeBytes {
                Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self))
            }
        }
        var value: Number = 0
        for index in 0..<size where offset >= 0 && offset < bytes.count - index {
            value |= Number(bytes[bytes.startIndex + offset + index]) << Number(8 * index)
        }
        return value
    }

    /// Record number `index` of a table of records of `stride` bytes.
    func record(_ index: Int, stride: Int) -> LittleEndianFields {
        let (start, overflow) = index.multipliedReportingOverflow(by: stride)
        guard !overflow, start >= 0 else { return LittleEndianFields([]) }
        return LittleEndianFields(bytes.dropFirst(start).prefix(max(stride, 0)))
    }
}

extension [UInt8] {
    mutating func appendLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends a C string.
    mutating func appendZeroTerminated(_ text: String) {
        append(contentsOf: text.utf8)
        append(0)
    }
}
