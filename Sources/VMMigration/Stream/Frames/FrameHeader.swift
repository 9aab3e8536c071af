/// What stands before the payload of each frame. All numbers are little-endian:
///
/// | bytes | |
/// |---|---|
/// | 4 | `magic` |
/// | 2 | type |
/// | 2 | 0 |
/// | 4 | length of the payload |
/// | 4 | 0 |
/// | 8 | sequence number: 0 for the first frame, and one more for each that follows |
/// | 8 | checksum |
///
/// The checksum is XXH3-64 of the payload, seeded with XXH3-64 of the 24 bytes before the checksum, which is seeded with the
/// seed of the channel. It finds damage and mix-ups; whoever wants to deceive can compute it.
struct FrameHeader {
    static let byteCount = 32
    /// "VMMS" in the stream.
    static let magic: UInt32 = 0x534d_4d56
    private static let checkedByteCount = 24

    let magic: UInt32
    let type: UInt16
    let payloadCount: UInt32
    let sequence: UInt64
    let checksum: UInt64
    /// Whether everything is 0 that has to be.
    let isReservedZero: Bool

    /// - Parameter bytes: `byteCount` of them.
    init(_ bytes: UnsafeRawPointer) {
        magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        type = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        payloadCount = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        sequence = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        checksum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        isReservedZero =
            bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self) == 0
            && bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self) == 0
    }

    /// Writes the header of a frame.
    /// - Parameter bytes: room for `byteCount`.
    /// - Returns: the checksum.
    static func write(
        _ type: FrameType, _ payload: UnsafeRawBufferPointer, sequence: UInt64, seed: UInt64,
        to bytes: UnsafeMutableRawPointer
    ) -> UInt64 {
        bytes.storeBytes(of: magic.littleEndian, as: UInt32.self)
        bytes.storeBytes(of: type.rawValue.littleEndian, toByteOffset: 4, as: UInt16.self)
        bytes.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
        bytes.storeBytes(of: UInt32(clamping: payload.count).littleEndian, toByteOffset: 8, as: UInt32.self)
        bytes.storeBytes(of: 0, toByteOffset: 12, as: UInt32.self)
        bytes.storeBytes(of: sequence.littleEndian, toByteOffset: 16, as: UInt64.self)
        let checksum = checksum(header: bytes, payload, seed: seed)
        bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 24, as: UInt64.self)
        return checksum
    }

    /// What the checksum of a frame has to be.
    static func checksum(header: UnsafeRawPointer, _ payload: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        let ofHeader = StreamChecksum.of(
            UnsafeRawBufferPointer(start: header, count: checkedByteCount), seed: seed)
        return StreamChecksum.of(payload, seed: ofHeader)
    }
}
