import SystemPackage

extension Snapshot {
    /// Writes a full snapshot with the same memory and state, which needs none of the files of this one. They stay as they are.
    ///
    /// The data is read and compared with its hashes, and written from the buffer it was read to: `copy_file_range(2)` would
    /// read it a second time.
    /// - Parameters:
    ///   - path: where it is to be; none of this snapshot's own files.
    ///   - replacing: whether a file that is there may be replaced.
    /// - Returns: the new snapshot's identifier.
    /// - Throws: `SnapshotError`: what `read`, `SnapshotWriter` and its `commit` throw. Nothing is left behind then.
    @discardableResult
    public func merge(into path: FilePath, replacing: Bool = false) throws(SnapshotError) -> SnapshotID {
        try merge(into: path, replacing: replacing, calls: .host)
    }

    package func merge(into path: FilePath, replacing: Bool, calls: FileCalls) throws(SnapshotError) -> SnapshotID {
        var writer = try SnapshotWriter(
            path: path, blocks: blocks, parent: nil, sources: files.map(\.identity), replacing: replacing, calls: calls)
        for block in blocks.indices {
            for piece in pieces(ofBlock: block) where piece.source != .zero {
                try piece.pages.forEachBufferful { (pages) throws(SnapshotError) in
                    let run = PageRun(block: block, pages: pages)
                    try read(run, into: writer.buffer.pages(pages.count))
                    try writer.storeBuffer(run)
                }
            }
        }
        return try writer.commit(state: state)
    }
}
