/// Pages of a block that follow one another, and where a restorer finds them.
public struct SnapshotPiece: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        case zero
        /// In a file, by its place in `Snapshot.files`, at an offset in bytes, from which they can be mapped.
        case data(file: Int, offset: UInt64)
    }

    /// In the block.
    public let pages: Range<UInt64>
    public let source: Source
}

/// All pages of a block, in order, in as few pieces as can be.
public struct SnapshotPieces: Sequence, Sendable {
    let entries: ArraySlice<PlanEntry>
    let pages: Range<UInt64>
    /// Where the block is in each file.
    let bases: [UInt64]

    public struct Iterator: IteratorProtocol {
        private let pieces: SnapshotPieces
        private var index: Int

        init(_ pieces: SnapshotPieces) {
            self.pieces = pieces
            index = pieces.entries.startIndex
        }

        public mutating func next() -> SnapshotPiece? { nextWithHashes()?.piece }

        /// Also which of the file's hashes is that of the first page.
        mutating func nextWithHashes() -> (piece: SnapshotPiece, hashIndex: UInt64)? {
            guard index < pieces.entries.endIndex else { return nil }
            let entry = pieces.entries[index]
            index += 1
            let end = index < pieces.entries.endIndex ? pieces.entries[index].first : pieces.pages.upperBound
            let first = Swift.max(entry.first, pieces.pages.lowerBound)
            let pages = first..<Swift.min(end, pieces.pages.upperBound)
            guard case .data(let file, let hashIndex) = entry.source else {
                return (SnapshotPiece(pages: pages, source: .zero), 0)
            }
            let offset = pieces.bases[file] + first << SnapshotFormat.pageShift
            return (
                SnapshotPiece(pages: pages, source: .data(file: file, offset: offset)), hashIndex + first - entry.first
            )
        }
    }

    public func makeIterator() -> Iterator { Iterator(self) }
}
