extension SnapshotHeader {
    init(reading reader: borrowing FileReader, fileLength: UInt64) throws(SnapshotError) {
        guard fileLength >= UInt64(SnapshotFormat.pageBytes) else {
            throw SnapshotError(.open, reader.path, .flaw(.notASnapshot))
        }
        let buffer = PageBuffer(pageCount: 1)
        let page = buffer.pages(1)
        try reader.read(.open, into: page, at: 0)
        do throws(SnapshotError.Flaw) {
            self = try SnapshotHeader(decoding: UnsafeRawBufferPointer(page), fileLength: fileLength)
        } catch {
            throw SnapshotError(.open, reader.path, .flaw(error))
        }
    }
}
