extension Snapshot {
    /// Reads all of each file, also what differential ones built on it have replaced: each data page must have its hash, and all
    /// other bytes of the memory must be zero. Holes are not read.
    /// - Throws: `SnapshotError`, for the first thing that is wrong: `badPage`, `strayBytes`, `flaw` for an index that was
    ///   damaged since, `cutOff`, `system`.
    public func verify() throws(SnapshotError) {
        let buffer = PageBuffer()
        var window = HashWindow()
        for file in files {
            let index = try SnapshotIndex(reading: file.reader, file.header, .verify)
            // Whoever changed it may have kept its checksum.
            guard index.hashOffset == file.hashOffset else {
                throw SnapshotError(.verify, file.path, .flaw(.indexChecksum))
            }
            var hashIndex: UInt64 = 0
            var gaps = FileGaps(file)
            for (block, runs) in index.runs.enumerated() {
                for run in runs where !run.isZero {
                    let base = index.bases[block]
                    let bytes = PageRun(block: block, pages: run.pages).bytes
                    try gaps.check(upTo: base + bytes.lowerBound, buffer)
                    gaps.skip(to: base + bytes.upperBound)
                    try run.pages.forEachBufferful { (pages) throws(SnapshotError) in
                        let data = HashedPages(
                            block: index.blocks[block].name, base: base, pages: pages, hashIndex: hashIndex)
                        try file.read(
                            .verify, data, into: buffer.pages(pages.count), &window)
                        hashIndex += UInt64(pages.count)
                    }
                }
            }
            try gaps.check(upTo: index.hashOffset, buffer)
        }
    }
}

/// A walk along the bytes of a file that must be zero.
private struct FileGaps {
    private let file: SnapshotFile
    /// Up to where the file was looked at.
    private var offset = UInt64(SnapshotFormat.pageBytes)
    /// From the offset on there is a hole up to there.
    private var holeEnd: UInt64 = 0

    init(_ file: SnapshotFile) { self.file = file }

    mutating func skip(to offset: UInt64) { self.offset = offset }

    mutating func check(upTo end: UInt64, _ buffer: borrowing PageBuffer) throws(SnapshotError) {
        while offset < end {
            if offset >= holeEnd { holeEnd = try file.reader.data(from: offset) }
            if holeEnd > offset {
                offset = min(holeEnd, end)
                continue
            }
            // Holes are whole pages, and so is what is between data pages.
            let bytes = buffer.pages(Int(min((end - offset) >> SnapshotFormat.pageShift, PageBuffer.pageCount)))
            try file.reader.read(.verify, into: bytes, at: offset)
            guard PageContents.isZero(UnsafeRawBufferPointer(bytes)) else {
                let stray = bytes.firstIndex { $0 != 0 } ?? 0
                throw SnapshotError(.verify, file.path, .strayBytes(offset + UInt64(stray)))
            }
            offset += UInt64(bytes.count)
        }
    }
}
