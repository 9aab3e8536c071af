import SystemPackage

extension SnapshotWriter {
    /// Takes pages from memory that may be written meanwhile: it copies them first and looks at the copy only. Pages that are
    /// zero take no space in the file.
    ///
    /// After `unreadable`, it can be called again; the run's pages are as before, or written. After other errors the snapshot
    /// cannot be completed.
    /// - Parameter source: where the run's first page is in memory.
    /// - Throws: `SnapshotError`: `outOfBounds`, `unreadable`, `diskFull`, `system`; `incomplete` after one of the last two.
    public mutating func write(_ run: PageRun, from source: UnsafeRawPointer) throws(SnapshotError) {
        try check(run)
        try run.pages.forEachBufferful { (pages) throws(SnapshotError) in
            let start = source + Int(pages.lowerBound - run.pages.lowerBound) * SnapshotFormat.pageBytes
            let count = pages.count * SnapshotFormat.pageBytes
            if let address = SourceFaults.copy(start, to: buffer.bytes.baseAddress.unsafelyUnwrapped, count: count) {
                let page = pages.lowerBound + UInt64(address - UInt(bitPattern: start)) >> SnapshotFormat.pageShift
                throw error(.unreadable(block: blocks[run.block].name, page: page, address: address))
            }
            try storeBuffer(PageRun(block: run.block, pages: pages))
        }
    }

    /// Makes pages zero.
    /// - Throws: as `write`.
    public mutating func writeZeros(_ run: PageRun) throws(SnapshotError) {
        try check(run)
        try reportingFailure { (writer) throws(Errno) in try writer.storeZeros(run) }
    }

    /// Takes pages that are at the start of the buffer.
    /// - Parameter run: no more pages than fit there, all of them in the block.
    mutating func storeBuffer(_ run: PageRun) throws(SnapshotError) {
        try reportingFailure { (writer) throws(Errno) in
            var index = 0
            while index < run.pages.count {
                let (end, isZero) = writer.likePages(from: index, to: run.pages.count)
                let first = run.pages.lowerBound
                let pages = PageRun(block: run.block, pages: (first + UInt64(index))..<(first + UInt64(end)))
                if isZero {
                    try writer.storeZeros(pages)
                } else {
                    try writer.storeData(pages, bufferIndex: index)
                }
                index = end
            }
        }
    }

    private func check(_ run: PageRun) throws(SnapshotError) {
        guard blocks.indices.contains(run.block), run.pages.upperBound <= blocks[run.block].pageCount else {
            throw error(.outOfBounds(run))
        }
        if let failure { throw error(.incomplete(failure)) }
    }

    /// Up to where the pages of the buffer are all zero, or all not.
    private func likePages(from start: Int, to end: Int) -> (end: Int, isZero: Bool) {
        let isZero = PageContents.isZero(bufferPage(start))
        var index = start + 1
        while index < end, PageContents.isZero(bufferPage(index)) == isZero { index += 1 }
        return (index, isZero)
    }

    private func bufferPage(_ index: Int) -> UnsafeRawPointer {
        UnsafeRawPointer(buffer.bytes.baseAddress.unsafelyUnwrapped + index * SnapshotFormat.pageBytes)
    }

    private mutating func storeData(_ run: PageRun, bufferIndex: Int) throws(Errno) {
        let numbers = numbers(run)
        guard written.reserve(numbers) else { throw .noMemory }
        let bytes = UnsafeRawBufferPointer(
            start: bufferPage(bufferIndex), count: run.pages.count * SnapshotFormat.pageBytes)
        try calls.write(file.descriptor, bytes, at: bases[run.block] + run.bytes.lowerBound)
        for (index, number) in zip(bufferIndex..., numbers) {
            written.setData(number, hash: PageContents.hash(bufferPage(index)))
        }
    }

    private mutating func storeZeros(_ run: PageRun) throws(Errno) {
        let numbers = numbers(run)
        while let data = written.firstData(in: numbers) {
            let first = run.pages.lowerBound + (data.lowerBound - numbers.lowerBound)
            let pages = PageRun(block: run.block, pages: first..<(first + UInt64(data.count)))
            let base = bases[run.block]
            try clear((base + pages.bytes.lowerBound)..<(base + pages.bytes.upperBound))
            written.setZero(data)
        }
        written.setZero(numbers)
    }

    /// Takes data out of the file.
    private func clear(_ bytes: Range<UInt64>) throws(Errno) {
        do throws(Errno) {
            try calls.punchHole(file.descriptor, bytes)
        } catch .notSupported {
            let zeros = [UInt8](repeating: 0, count: SnapshotFormat.pageBytes)
            for offset in stride(from: bytes.lowerBound, to: bytes.upperBound, by: zeros.count) {
                var failure: Errno?
                zeros.withUnsafeBytes { zeros in
                    do throws(Errno) { try calls.write(file.descriptor, zeros, at: offset) } catch { failure = error }
                }
                if let failure { throw failure }
            }
        }
    }

    /// The numbers of a run's pages among those of all blocks.
    private func numbers(_ run: PageRun) -> Range<UInt64> {
        let first = firstPages[run.block]
        return (first + run.pages.lowerBound)..<(first + run.pages.upperBound)
    }

    private mutating func reportingFailure(
        _ body: (inout SnapshotWriter) throws(Errno) -> Void
    ) throws(SnapshotError) {
        do throws(Errno) {
            try body(&self)
        } catch {
            failure = error
            throw SnapshotError(.write, file.path, error)
        }
    }

    private func error(_ reason: SnapshotError.Reason) -> SnapshotError {
        SnapshotError(.write, file.path, reason)
    }
}
