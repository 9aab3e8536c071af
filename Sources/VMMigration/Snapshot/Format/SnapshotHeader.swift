import CChecksum

/// The first page of a snapshot's file.
struct SnapshotHeader: Hashable {
    var id: SnapshotID
    /// Nil in a full snapshot.
    var parent: SnapshotID?
    var indexOffset: UInt64
    var indexLength: UInt64
    var indexChecksum: UInt64

    /// Of the whole file: the index is the last in it.
    var fileLength: UInt64 { indexOffset + indexLength }

    private enum Offset {
        static let magic = 0
        static let version = 8
        static let flags = 12
        static let id = 16
        static let parent = 32
        static let indexOffset = 48
        static let indexLength = 56
        static let indexChecksum = 64
        static let fileLength = 72
        static let reserved = 80
        static let checksum = 4088
    }

    private static let differentialFlag: UInt32 = 1

    /// - Parameter page: 4096 bytes, all of which are set.
    func encode(into page: UnsafeMutableRawBufferPointer) {
        page.initializeMemory(as: UInt8.self, repeating: 0)
        page.store(littleEndian: SnapshotFormat.magic, at: Offset.magic)
        page.store(littleEndian: SnapshotFormat.version, at: Offset.version)
        page.store(littleEndian: parent == nil ? 0 : Self.differentialFlag, at: Offset.flags)
        page.store(id, at: Offset.id)
        page.store(parent ?? .none, at: Offset.parent)
        page.store(littleEndian: indexOffset, at: Offset.indexOffset)
        page.store(littleEndian: indexLength, at: Offset.indexLength)
        page.store(littleEndian: indexChecksum, at: Offset.indexChecksum)
        page.store(littleEndian: fileLength, at: Offset.fileLength)
        page.store(littleEndian: Self.checksum(UnsafeRawBufferPointer(page)), at: Offset.checksum)
    }

    /// - Parameters:
    ///   - page: 4096 bytes, of anybody.
    ///   - fileLength: how long the file is.
    init(decoding page: UnsafeRawBufferPointer, fileLength: UInt64) throws(SnapshotError.Flaw) {
        guard page.littleEndian(at: Offset.magic, as: UInt64.self) == SnapshotFormat.magic else { throw .notASnapshot }
        guard page.littleEndian(at: Offset.checksum) == Self.checksum(page) else { throw .headerChecksum }
        let version = page.littleEndian(at: Offset.version, as: UInt32.self)
        guard version == SnapshotFormat.version else { throw .version(version) }
        let flags = page.littleEndian(at: Offset.flags, as: UInt32.self)
        guard flags & ~Self.differentialFlag == 0, Self.isReservedZero(page) else {
            throw .reservedBits
        }
        let parent = page.identifier(at: Offset.parent)
        guard (flags == 0) == (parent == .none) else { throw .parentIdentifier }
        let length = page.littleEndian(at: Offset.fileLength, as: UInt64.self)
        guard length == fileLength else { throw .fileLength(expected: length, found: fileLength) }

        id = page.identifier(at: Offset.id)
        self.parent = flags == 0 ? nil : parent
        indexOffset = page.littleEndian(at: Offset.indexOffset)
        indexLength = page.littleEndian(at: Offset.indexLength)
        indexChecksum = page.littleEndian(at: Offset.indexChecksum)
        guard id != .none, id != parent else { throw .identifier }
        guard
            indexOffset >= UInt64(SnapshotFormat.pageBytes), indexOffset < SnapshotFormat.offsetLimit,
            indexLength <= SnapshotFormat.indexLimit, indexOffset + indexLength == length
        else { throw .indexPlace }
    }

    init(id: SnapshotID, parent: SnapshotID?, indexOffset: UInt64, indexLength: UInt64, indexChecksum: UInt64) {
        self.id = id
        self.parent = parent
        self.indexOffset = indexOffset
        self.indexLength = indexLength
        self.indexChecksum = indexChecksum
    }

    private static func isReservedZero(_ page: UnsafeRawBufferPointer) -> Bool {
        PageContents.isZero(UnsafeRawBufferPointer(rebasing: page[Offset.reserved..<Offset.checksum]))
    }

    private static func checksum(_ page: UnsafeRawBufferPointer) -> UInt64 {
        cchecksum_xxh3(page.baseAddress, Offset.checksum, 0)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func identifier(at offset: Int) -> SnapshotID {
        SnapshotID(high: littleEndian(at: offset), low: littleEndian(at: offset + 8))
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate func store(_ id: SnapshotID, at offset: Int) {
        store(littleEndian: id.high, at: offset)
        store(littleEndian: id.low, at: offset + 8)
    }
}
