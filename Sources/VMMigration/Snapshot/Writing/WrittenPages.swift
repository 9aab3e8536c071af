import Glibc

/// What a snapshot that is being written has of each page, and the hashes of those with data. The pages of all blocks are
/// numbered through.
///
/// It takes 2 bits a page, of which the host provides what is touched, and 4 KiB for each 512 pages that have data.
struct WrittenPages: ~Copyable, @unchecked Sendable {
    // SAFETY: the memory is this value's alone, from `init` to `deinit`, and is reached through it only: what changes it needs
    // the value exclusively.
    private let data: PageBits
    private let zero: PageBits
    /// Nil for chunks without data.
    private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>
    private let chunkCount: Int
    private(set) var dataCount: UInt64 = 0
    private(set) var zeroCount: UInt64 = 0

    private static let chunkPages: UInt64 = 512

    /// Nil where there is no memory for it.
    init?(pageCount: UInt64) {
        let chunkCount = Int(pageCount / Self.chunkPages) + 1
        guard let data = PageBits(pageCount: pageCount) else { return nil }
        guard let zero = PageBits(pageCount: pageCount) else {
            data.deallocate()
            return nil
        }
        guard let chunks = calloc(chunkCount, MemoryLayout<UnsafeMutablePointer<UInt64>?>.stride) else {
            data.deallocate()
            zero.deallocate()
            return nil
        }
        self.data = data
        self.zero = zero
        // All bits zero is nil.
        self.chunks = chunks.bindMemory(to: UnsafeMutablePointer<UInt64>?.self, capacity: chunkCount)
        self.chunkCount = chunkCount
    }

    deinit {
        for index in 0..<chunkCount { free(chunks[index]) }
        free(chunks)
        data.deallocate()
        zero.deallocate()
    }

    /// Makes room for the hashes of pages.
    /// - Returns: whether there is memory for them.
    mutating func reserve(_ pages: Range<UInt64>) -> Bool {
        guard let last = pages.last else { return true }
        for index in Int(pages.lowerBound / Self.chunkPages)...Int(last / Self.chunkPages) where chunks[index] == nil {
            let bytes = Int(Self.chunkPages) * MemoryLayout<UInt64>.stride
            guard let chunk = malloc(bytes) else { return false }
            chunks[index] = chunk.bindMemory(to: UInt64.self, capacity: Int(Self.chunkPages))
        }
        return true
    }

    /// The page's room must be reserved.
    mutating func setData(_ page: UInt64, hash: UInt64) {
        guard let chunk = chunks[Int(page / Self.chunkPages)] else { return }
        chunk[Int(page % Self.chunkPages)] = hash
        dataCount += data.insert(page) ? 1 : 0
        zeroCount -= zero.remove(page) ? 1 : 0
    }

    mutating func setZero(_ pages: Range<UInt64>) {
        for page in pages {
            dataCount -= data.remove(page) ? 1 : 0
            zeroCount += zero.insert(page) ? 1 : 0
        }
    }

    /// The first run of pages with data that begins, or goes on, in a range.
    func firstData(in pages: Range<UInt64>) -> Range<UInt64>? {
        data.firstRun(in: pages)
    }

    /// Zero where the page has no data.
    func hash(_ page: UInt64) -> UInt64 {
        chunks[Int(page / Self.chunkPages)]?[Int(page % Self.chunkPages)] ?? 0
    }

    /// Calls `body` with each run of pages of a kind within a range, in order.
    /// - Parameters:
    ///   - base: what page number the first of the range is given.
    ///   - withZeros: otherwise only those with data.
    func forEachRun<Failure: Error>(
        in range: Range<UInt64>, from base: UInt64 = 0, withZeros: Bool, _ body: (StoredRun) throws(Failure) -> Void
    ) throws(Failure) {
        var nextData = data.firstRun(in: range)
        var nextZero = withZeros ? zero.firstRun(in: range) : nil
        while nextData != nil || nextZero != nil {
            let isZero = (nextZero?.lowerBound ?? .max) < (nextData?.lowerBound ?? .max)
            guard let run = isZero ? nextZero : nextData else { return }
            let pages = (run.lowerBound - range.lowerBound + base)..<(run.upperBound - range.lowerBound + base)
            try body(StoredRun(pages: pages, isZero: isZero))
            let rest = run.upperBound..<range.upperBound
            if isZero { nextZero = zero.firstRun(in: rest) } else { nextData = data.firstRun(in: rest) }
        }
    }
}

/// A bit for each page.
private struct PageBits {
    private let words: UnsafeMutablePointer<UInt64>

    init?(pageCount: UInt64) {
        let count = Int(pageCount / 64) + 1
        guard let words = calloc(count, MemoryLayout<UInt64>.stride) else { return nil }
        self.words = words.bindMemory(to: UInt64.self, capacity: count)
    }

    func deallocate() { free(words) }

    /// - Returns: whether it was not set.
    func insert(_ page: UInt64) -> Bool {
        let bit: UInt64 = 1 << (page % 64)
        defer { words[Int(page / 64)] |= bit }
        return words[Int(page / 64)] & bit == 0
    }

    /// - Returns: whether it was set.
    func remove(_ page: UInt64) -> Bool {
        let bit: UInt64 = 1 << (page % 64)
        let word = words[Int(page / 64)]
        guard word & bit != 0 else { return false }
        words[Int(page / 64)] = word & ~bit
        return true
    }

    func firstRun(in range: Range<UInt64>) -> Range<UInt64>? {
        let start = firstBit(true, in: range)
        guard start < range.upperBound else { return nil }
        return start..<firstBit(false, in: start..<range.upperBound)
    }

    /// The range's end where there is none.
    private func firstBit(_ isSet: Bool, in range: Range<UInt64>) -> UInt64 {
        let flip: UInt64 = isSet ? 0 : .max
        var page = range.lowerBound
        while page < range.upperBound {
            let word = (words[Int(page / 64)] ^ flip) & (.max << (page % 64))
            if word != 0 { return min(page / 64 * 64 + UInt64(word.trailingZeroBitCount), range.upperBound) }
            page = (page / 64 + 1) * 64
        }
        return range.upperBound
    }
}
