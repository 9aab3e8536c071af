import SystemPackage

/// Writes the memory and the state of a machine into a snapshot's file.
///
/// The file comes to be under its name when `commit(state:)` has all of it on the disk, and not before: a crash leaves what was
/// there. A writer that is not committed leaves nothing.
///
/// Pages may be written in any order and many times; the last time counts. In a full snapshot, pages that are not written are
/// zero; in a differential one, they are as in the parent.
///
/// Threads: any, one at a time.
public struct SnapshotWriter: ~Copyable, Sendable {
    /// A snapshot that a differential one is built on.
    public struct Parent: Hashable, Sendable {
        public let id: SnapshotID
        public let path: FilePath

        public init(id: SnapshotID, path: FilePath) {
            self.id = id
            self.path = path
        }
    }

    /// Of the snapshot that is being written.
    public let id: SnapshotID
    public let blocks: [RAMBlock]
    let parent: (id: SnapshotID, name: FilePath)?
    /// Where in the file each block starts.
    let bases: [UInt64]
    /// Where in the file the blocks end.
    let memoryEnd: UInt64
    /// The number of each block's first page, where those of all blocks are numbered through.
    let firstPages: [UInt64]
    let calls: FileCalls
    let buffer = PageBuffer()
    var file: UnpublishedFile
    var written: WrittenPages
    /// What the first write that failed came to. Its pages are then missing.
    var failure: Errno?

    /// Opens a file beside `path`, and finds out what can be found out now about whether it can be written.
    /// - Parameters:
    ///   - path: where the snapshot is to be. A symbolic link there is replaced, not followed.
    ///   - parent: for a differential snapshot. Its file must be there, with the same blocks.
    ///   - replacing: whether a file that is at `path` may be replaced.
    /// - Throws: `SnapshotError`: `exists`, `notAFile`, `isSource` where the parent or one of its own is at `path`, `blocks`,
    ///   `fileSizeLimit`, `tooDeep`, `otherParent`, `otherBlocks`, whatever opening the parent throws; `diskFull`; `system`.
    public init(
        path: FilePath, blocks: [RAMBlock], parent: Parent? = nil, replacing: Bool = false
    ) throws(SnapshotError) {
        try self.init(path: path, blocks: blocks, parent: parent, replacing: replacing, calls: .host)
    }

    package init(
        path: FilePath, blocks: [RAMBlock], parent: Parent?, replacing: Bool, calls: FileCalls
    ) throws(SnapshotError) {
        guard let parent else {
            try self.init(path: path, blocks: blocks, parent: nil, sources: [], replacing: replacing, calls: calls)
            return
        }
        let snapshot = try Snapshot(path: parent.path)
        guard snapshot.id == parent.id else {
            throw SnapshotError(.open, parent.path, .otherParent(expected: parent.id, found: snapshot.id))
        }
        guard snapshot.blocks == blocks else { throw SnapshotError(.open, parent.path, .otherBlocks) }
        guard snapshot.files.count < SnapshotFormat.depthLimit else { throw SnapshotError(.create, path, .tooDeep) }
        let name: FilePath
        do throws(Errno) {
            name = try parent.path.relative(toFolder: path.folder)
            guard name.length <= SnapshotFormat.parentNameLimit else { throw .fileNameTooLong }
        } catch {
            throw SnapshotError(.create, path, error)
        }
        try self.init(
            path: path, blocks: blocks, parent: (parent.id, name), sources: snapshot.files.map(\.identity),
            replacing: replacing, calls: calls)
    }

    /// - Parameter sources: files that must not be replaced.
    init(
        path: FilePath, blocks: [RAMBlock], parent: (id: SnapshotID, name: FilePath)?, sources: [FileIdentity],
        replacing: Bool, calls: FileCalls
    ) throws(SnapshotError) {
        guard let (bases, memoryEnd) = SnapshotFormat.layOut(blocks), Self.areNamed(blocks) else {
            throw SnapshotError(.create, path, .blocks)
        }
        var firstPages: [UInt64] = []
        var pageCount: UInt64 = 0
        for block in blocks {
            firstPages.append(pageCount)
            pageCount += block.pageCount
        }
        if let limit = FileSizeLimit.refusing(memoryEnd) { throw SnapshotError(.create, path, .fileSizeLimit(limit)) }
        let id = SnapshotID()
        let file = try UnpublishedFile(path, id: id, replaces: replacing, sources: sources, calls: calls)
        do throws(Errno) {
            // Some file systems have shorter files than others.
            try calls.setLength(file.descriptor, memoryEnd)
        } catch {
            throw SnapshotError(.create, path, error)
        }
        guard let written = WrittenPages(pageCount: pageCount) else {
            throw SnapshotError(.create, path, Errno.noMemory)
        }
        SourceFaults.catchThem()

        self.id = id
        self.blocks = blocks
        self.parent = parent
        self.bases = bases
        self.memoryEnd = memoryEnd
        self.firstPages = firstPages
        self.calls = calls
        self.file = file
        self.written = written
    }

    private static func areNamed(_ blocks: [RAMBlock]) -> Bool {
        blocks.count <= SnapshotFormat.blockLimit && Set(blocks.map(\.name)).count == blocks.count
            && blocks.allSatisfy { $0.name.utf8.count <= SnapshotFormat.nameLimit }
    }

    /// How many pages the snapshot has of its own: with data in its file, and known to be zero.
    public var pageCounts: (data: UInt64, zero: UInt64) { (written.dataCount, written.zeroCount) }
}
