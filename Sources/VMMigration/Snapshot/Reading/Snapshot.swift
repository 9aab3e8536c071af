import SystemPackage
import VMState

/// A snapshot that was written before: the memory and the state of a machine, from one file or from a chain of a full one and
/// differential ones.
///
/// Opening it reads the indexes and no memory. What is mapped of its files with `MAP_PRIVATE` is read as it is touched, and the
/// pages nobody writes are shared by all machines that come from it.
///
/// Nothing in the files is believed. Of a page that is mapped the hash was not compared; `verify()` compares all of them.
///
/// Threads: any, several at once.
public struct Snapshot: Sendable {
    public let id: SnapshotID
    public let blocks: [RAMBlock]
    public let state: MachineState
    /// What it is made of: its own file, then its parent's, and so on to a full one.
    public let files: [SnapshotFile]
    /// How many pages are data in some file, and how many are zero.
    public let pageCounts: (data: UInt64, zero: UInt64)
    let plans: [BlockPlan]

    /// - Throws: `SnapshotError`, with the path of the file that it is about: `flaw`, `notAFile`, `otherParent`, `otherBlocks`,
    ///   `cycle`, `tooDeep`, `cutOff`, `system`.
    public init(path: FilePath) throws(SnapshotError) {
        let chain = try Self.openChain(path)
        var plans = chain[0].index.blocks.map { BlockPlan(pageCount: $0.pageCount) }
        for (number, link) in chain.enumerated().reversed() {
            var hashIndex: UInt64 = 0
            for block in plans.indices {
                plans[block].overlay(link.index.runs[block], file: number, hashIndex: &hashIndex)
            }
        }
        id = chain[0].file.id
        blocks = chain[0].index.blocks
        state = chain[0].index.state
        files = chain.map(\.file)
        self.plans = plans
        let data = plans.reduce(0) { $0 + $1.dataCount }
        pageCounts = (data, blocks.reduce(0) { $0 + $1.pageCount } - data)
    }

    /// Whether it is one file, which needs no other.
    public var isFull: Bool { files[0].isFull }
    public var path: FilePath { files[0].path }

    /// Where the pages of a block are.
    ///
    /// In a snapshot of one file, what is zero is a hole at the same place (`SnapshotFile.bases`) that reads as zero, so that the
    /// block can also be mapped as a whole.
    /// - Parameter block: by its place in `blocks`; another has no pages.
    public func pieces(ofBlock block: Int) -> SnapshotPieces {
        guard blocks.indices.contains(block) else { return SnapshotPieces(entries: [], pages: 0..<0, bases: []) }
        return pieces(PageRun(block: block, pages: 0..<blocks[block].pageCount))
    }

    /// - Parameter run: in a block.
    func pieces(_ run: PageRun) -> SnapshotPieces {
        SnapshotPieces(
            entries: plans[run.block].entries(run.pages), pages: run.pages, bases: files.map { $0.bases[run.block] })
    }

    private static func parentPath(_ name: FilePath, of file: SnapshotFile) throws(SnapshotError) -> FilePath {
        do throws(Errno) {
            // As seen from the file itself, not from a link to it.
            return try file.path.resolved().folder.pushing(name)
        } catch {
            throw SnapshotError(.open, file.path, error)
        }
    }

    private static func openChain(
        _ path: FilePath
    ) throws(SnapshotError) -> [(file: SnapshotFile, index: SnapshotIndex)] {
        var chain: [(file: SnapshotFile, index: SnapshotIndex)] = [try SnapshotFile.open(path)]
        while let expected = chain[chain.count - 1].file.header.parent,
            let name = chain[chain.count - 1].index.parentName
        {
            let path = try parentPath(name, of: chain[chain.count - 1].file)
            guard chain.count < SnapshotFormat.depthLimit else { throw SnapshotError(.open, path, .tooDeep) }
            let (file, index) = try SnapshotFile.open(path)
            guard file.id == expected else {
                throw SnapshotError(.open, path, .otherParent(expected: expected, found: file.id))
            }
            guard !chain.contains(where: { $0.file.id == file.id }) else { throw SnapshotError(.open, path, .cycle) }
            guard index.blocks == chain[0].index.blocks else { throw SnapshotError(.open, path, .otherBlocks) }
            chain.append((file, index))
        }
        return chain
    }
}
