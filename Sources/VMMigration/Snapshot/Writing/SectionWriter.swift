import CXXHash
import SystemPackage

/// Writes a part of a file from its start on, through a buffer, and computes its checksum.
struct SectionWriter: ~Copyable {
    private let file: FileDescriptor
    private let calls: FileCalls
    private let buffer: UnsafeMutableRawBufferPointer
    private let checksumState: OpaquePointer
    private var used = 0
    /// Of what is in the file; the rest is in the buffer.
    private var offset: UInt64

    /// - Parameter buffer: whose contents are lost; a multiple of 8 bytes. It must outlive this value.
    /// - Throws: `noMemory`.
    init(
        _ file: FileDescriptor, at offset: UInt64, buffer: UnsafeMutableRawBufferPointer, calls: FileCalls
    ) throws(Errno) {
        guard let state = XXH3_createState() else { throw .noMemory }
        XXH3_64bits_reset(state)
        checksumState = state
        self.file = file
        self.calls = calls
        self.buffer = buffer
        self.offset = offset
    }

    deinit { XXH3_freeState(checksumState) }

    /// Where the next byte will be.
    var end: UInt64 { offset + UInt64(used) }

    mutating func append(_ number: some FixedWidthInteger & BitwiseCopyable) throws(Errno) {
        if buffer.count - used < MemoryLayout.size(ofValue: number) { try flush() }
        buffer.store(littleEndian: number, at: used)
        used += MemoryLayout.size(ofValue: number)
    }

    mutating func append(_ bytes: [UInt8]) throws(Errno) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if used == buffer.count { try flush() }
            let part = rest.prefix(buffer.count - used)
            UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyBytes(from: part)
            used += part.count
            rest = rest.dropFirst(part.count)
        }
    }

    /// Writes what is left.
    /// - Returns: the checksum of all.
    mutating func finish() throws(Errno) -> UInt64 {
        try flush()
        return XXH3_64bits_digest(checksumState)
    }

    private mutating func flush() throws(Errno) {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<used])
        XXH3_64bits_update(checksumState, bytes.baseAddress, bytes.count)
        try calls.write(file, bytes, at: offset)
        offset += UInt64(used)
        used = 0
    }
}
