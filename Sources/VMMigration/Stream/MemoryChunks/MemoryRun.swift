/// A run of pages as a chunk has it. All numbers are little-endian:
///
/// | bytes | |
/// |---|---|
/// | 2 | block |
/// | 2 | kind |
/// | 4 | how many pages |
/// | 8 | the first one |
struct MemoryRun {
    static let byteCount = 16
    static let data: UInt16 = 0
    static let zero: UInt16 = 1

    var block: UInt16
    var kind: UInt16
    var count: UInt32
    var first: UInt64

    /// The page after the last, for a run that does not come from outside.
    var end: UInt64 { first + UInt64(count) }

    init(block: UInt16, kind: UInt16, count: UInt32, first: UInt64) {
        self.block = block
        self.kind = kind
        self.count = count
        self.first = first
    }

    /// - Parameter bytes: `byteCount` of them.
    init(_ bytes: UnsafeRawPointer) {
        block = UInt16(littleEndian: bytes.loadUnaligned(as: UInt16.self))
        kind = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        count = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        first = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// - Parameter bytes: room for `byteCount`.
    func write(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: block.littleEndian, as: UInt16.self)
        bytes.storeBytes(of: kind.littleEndian, toByteOffset: 2, as: UInt16.self)
        bytes.storeBytes(of: count.littleEndian, toByteOffset: 4, as: UInt32.self)
        bytes.storeBytes(of: first.littleEndian, toByteOffset: 8, as: UInt64.self)
    }
}
