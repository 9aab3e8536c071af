import CXXHash
import SystemPackage

/// Reads a part of a file from its start on, through a buffer.
struct SectionReader: ~Copyable {
    private let buffer = PageBuffer(pageCount: 16)
    private let operation: SnapshotError.Operation
    private var offset: UInt64
    private let end: UInt64
    /// What of the buffer was read from the file and not taken yet.
    private var filled = 0..<0

    init(_ operation: SnapshotError.Operation, _ bytes: Range<UInt64>) {
        self.operation = operation
        offset = bytes.lowerBound
        end = bytes.upperBound
    }

    /// How many bytes are to come.
    var remaining: UInt64 { end - offset + UInt64(filled.count) }

    /// - Throws: `flaw(indexLength)` past the end; as `FileReader.read`.
    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ reader: borrowing FileReader, as type: Number.Type = Number.self
    ) throws(SnapshotError) -> Number {
        let size = MemoryLayout<Number>.size
        if filled.count < size { try refill(reader) }
        guard filled.count >= size else { throw SnapshotError(operation, reader.path, .flaw(.indexLength)) }
        defer { filled = (filled.lowerBound + size)..<filled.upperBound }
        return UnsafeRawBufferPointer(buffer.bytes).littleEndian(at: filled.lowerBound)
    }

    /// - Parameter count: bounded by the caller.
    /// - Throws: as `number`.
    mutating func bytes(_ reader: borrowing FileReader, count: Int) throws(SnapshotError) -> [UInt8] {
        guard UInt64(count) <= remaining else { throw SnapshotError(operation, reader.path, .flaw(.indexLength)) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            if filled.isEmpty { try refill(reader) }
            let part = filled.prefix(count - bytes.count)
            bytes.append(contentsOf: buffer.bytes[part])
            filled = part.upperBound..<filled.upperBound
        }
        return bytes
    }

    /// The checksum of all that is to come, which is taken.
    /// - Throws: as `FileReader.read`; `noMemory`.
    mutating func checksum(_ reader: borrowing FileReader) throws(SnapshotError) -> UInt64 {
        guard let state = XXH3_createState() else { throw SnapshotError(operation, reader.path, Errno.noMemory) }
        defer { XXH3_freeState(state) }
        XXH3_64bits_reset(state)
        while remaining > 0 {
            if filled.isEmpty { try refill(reader) }
            XXH3_64bits_update(state, buffer.bytes.baseAddress.unsafelyUnwrapped + filled.lowerBound, filled.count)
            filled = 0..<0
        }
        return XXH3_64bits_digest(state)
    }

    /// Moves what is left to the buffer's start, and reads more behind it.
    private mutating func refill(_ reader: borrowing FileReader) throws(SnapshotError) {
        let left = filled.count
        buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.bytes[filled]))
        let count = Int(min(UInt64(buffer.bytes.count - left), end - offset))
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[left..<(left + count)])
        try reader.read(operation, into: room, at: offset)
        offset += UInt64(count)
        filled = 0..<(left + count)
    }
}
