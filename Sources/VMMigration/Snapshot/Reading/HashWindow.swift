/// Some of a file's hashes, read in advance for those who go through its pages in order.
struct HashWindow: ~Copyable {
    private let buffer = PageBuffer(pageCount: 1)
    private var file: SnapshotFile?
    /// Which hashes of the file are in the buffer.
    private var present: Range<UInt64> = 0..<0

    private static let hashBytes = 8
    private static let capacity = UInt64(SnapshotFormat.pageBytes / hashBytes)

    /// - Parameters:
    ///   - file: which has as many hashes.
    ///   - indexes: of a bufferful of pages at most.
    /// - Returns: the hashes, until the next call.
    mutating func hashes(
        _ operation: SnapshotError.Operation, of file: SnapshotFile, _ indexes: Range<UInt64>
    ) throws(SnapshotError) -> UnsafeRawBufferPointer {
        if self.file !== file || !present.contains(indexes) {
            self.file = nil
            present = indexes.lowerBound..<min(indexes.lowerBound + Self.capacity, file.dataCount)
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(present.count * Self.hashBytes)])
            try file.reader.read(operation, into: room, at: file.hashOffset + present.lowerBound * 8)
            self.file = file
        }
        let start = Int(indexes.lowerBound - present.lowerBound) * Self.hashBytes
        let bytes = buffer.bytes[start..<(start + indexes.count * Self.hashBytes)]
        return UnsafeRawBufferPointer(UnsafeMutableRawBufferPointer(rebasing: bytes))
    }
}
