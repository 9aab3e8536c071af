extension Snapshot {
    /// Copies pages, whichever files they are in, and compares their hashes.
    /// - Parameters:
    ///   - run: the pages.
    ///   - bytes: as long as they are. Nobody else writes there meanwhile. Where this throws, what is there is of no use.
    /// - Throws: `SnapshotError`: `outOfBounds`, also where `bytes` has another length; `badPage`, `cutOff`, `system`.
    public func read(_ run: PageRun, into bytes: UnsafeMutableRawBufferPointer) throws(SnapshotError) {
        guard
            blocks.indices.contains(run.block), run.pages.upperBound <= blocks[run.block].pageCount,
            bytes.count == run.pages.count * SnapshotFormat.pageBytes
        else { throw SnapshotError(.read, path, .outOfBounds(run)) }
        var window = HashWindow()
        var pieces = pieces(run).makeIterator()
        while let (piece, hashIndex) = pieces.nextWithHashes() {
            let start = Int(piece.pages.lowerBound - run.pages.lowerBound) * SnapshotFormat.pageBytes
            let count = piece.pages.count * SnapshotFormat.pageBytes
            let place = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<(start + count)])
            guard case .data(let file, _) = piece.source else {
                place.initializeMemory(as: UInt8.self, repeating: 0)
                continue
            }
            let data = HashedPages(
                block: blocks[run.block].name, base: files[file].bases[run.block], pages: piece.pages,
                hashIndex: hashIndex)
            try files[file].read(.read, data, into: place, &window)
        }
    }
}

/// Pages of a file that follow one another, and so do their hashes.
struct HashedPages {
    let block: String
    /// Where the block is in the file.
    let base: UInt64
    let pages: Range<UInt64>
    /// Of the first page.
    let hashIndex: UInt64
}

extension SnapshotFile {
    /// Reads pages and compares their hashes.
    /// - Parameter bytes: as long as the pages.
    func read(
        _ operation: SnapshotError.Operation, _ data: HashedPages, into bytes: UnsafeMutableRawBufferPointer,
        _ window: inout HashWindow
    ) throws(SnapshotError) {
        try data.pages.forEachBufferful { (pages) throws(SnapshotError) in
            let first = pages.lowerBound - data.pages.lowerBound
            let start = Int(first) * SnapshotFormat.pageBytes
            let part = UnsafeMutableRawBufferPointer(
                rebasing: bytes[start..<(start + pages.count * SnapshotFormat.pageBytes)])
            try reader.read(operation, into: part, at: data.base + pages.lowerBound << SnapshotFormat.pageShift)
            let index = data.hashIndex + first
            let hashes = try window.hashes(operation, of: self, index..<(index + UInt64(pages.count)))
            for (index, page) in pages.enumerated() {
                let contents = part.baseAddress.unsafelyUnwrapped + index * SnapshotFormat.pageBytes
                guard hashes.littleEndian(at: index * 8) == PageContents.hash(contents) else {
                    throw SnapshotError(operation, path, .badPage(block: data.block, page: page))
                }
            }
        }
    }
}
