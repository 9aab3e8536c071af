import VMAddressSpace
import VMHost
import VMMemory
import VMRegions

/// What one harvest found: the pages that were written since the one before, and room for the next harvest.
///
/// The pages are the round's: whoever cannot use them, such as a copy to somewhere that failed, puts them back, and they are
/// reported again. Its memory, one bit for each page of the guest, is used again by the next harvest into it, which forgets
/// what was there.
///
/// Threads: one at a time.
public struct DirtyRound: ~Copyable, Sendable {
    /// Ascending and disjoint.
    @usableFromInline private(set) var pieces: [DirtyPiece] = []
    /// Those of the pieces, one after another, and room behind them.
    @usableFromInline var words: [UInt64] = []
    private var wordCount = 0
    /// Where pages come from that the kernel's log does not have.
    private var bitmaps: DirtyLogSink?
    /// The memory that it is about, also when other memory has come in its place; nil before there is a piece.
    private var map: RegionMap?
    /// How many pages were written.
    public private(set) var pageCount: UInt64 = 0
    /// Of the harvest.
    package var nanoseconds: UInt64 = 0
    package var kernelNanoseconds: UInt64 = 0

    /// Empty.
    public init() {}

    /// Pages that were found otherwise, such as by another host's monitor. Putting them back only forgets them.
    /// - Parameter words: a bit for each page of the range, the first in the lowest bit of the first. Words that are missing
    ///   are 0; bits past the last page are ignored.
    public init(_ words: [UInt64], of range: MemoryRange) {
        // Of a range that is far longer than the words there would be no room for the zeros.
        let pageCount = min(range.pageCount, UInt64(words.count) << 6)
        guard pageCount > 0 else { return }
        let last = range.start.rawValue + (pageCount << PageSize.size4K.shift - 1)
        append(MemoryRange(uncheckedFrom: range.start, through: GuestAddress(last))) { room in
            for index in room.indices { room[index] = words[index] }
            room[room.count - 1] &= ~0 >> ((0 &- pageCount) & 63)
        }
        finish(nil)
    }

    /// How long the harvest took.
    public var duration: Duration { .nanoseconds(Int64(clamping: nanoseconds)) }

    /// How much of that were calls of the kernel, the counting of what each brought included.
    public var kernelDuration: Duration { .nanoseconds(Int64(clamping: kernelNanoseconds)) }

    /// How many bytes the pages have.
    public var byteCount: UInt64 { pageCount << PageSize.size4K.shift }

    /// Calls `body` with each run of pages, ascending and disjoint. Their memory may be copied.
    @inlinable
    public borrowing func forEachRun<Failure: Error>(
        _ body: (MemoryRange) throws(Failure) -> Void
    ) throws(Failure) {
        for piece in pieces where piece.pageCount != 0 {
            try words.withUnsafeBufferPointer { (words) throws(Failure) in
                var runs = WordRuns(UnsafeBufferPointer(rebasing: words[piece.words]))
                while let run = runs.next() { try body(piece.range(of: run)) }
            }
        }
    }

    /// How many of the pages are in a range.
    public borrowing func pageCount(in range: MemoryRange) -> UInt64 {
        var count: UInt64 = 0
        for piece in pieces where piece.pageCount != 0 {
            guard let bits = piece.bits(of: range) else { continue }
            count += words.withUnsafeBufferPointer { words in
                UnsafeBufferPointer(rebasing: words[piece.words]).setBitCount(bits)
            }
        }
        return count
    }

    /// Marks all pages as written again. They are no longer in the round.
    public mutating func putBack() {
        for piece in pieces where piece.pageCount != 0 { putBack(piece) }
        clear()
    }

    /// Forgets the pages, which have been dealt with.
    public mutating func clear() {
        pieces.removeAll(keepingCapacity: true)
        wordCount = 0
        pageCount = 0
        map = nil
        bitmaps = nil
    }

    private borrowing func putBack(_ piece: DirtyPiece) {
        words.withUnsafeBufferPointer { words in
            map?.mergeDirtyLog(UnsafeBufferPointer(rebasing: words[piece.words]), of: piece.range)
        }
    }
}

// MARK: Filling

extension DirtyRound {
    /// Empties it for a harvest.
    mutating func begin(_ bitmaps: DirtyLogSink) {
        clear()
        self.bitmaps = bitmaps
        nanoseconds = 0
        kernelNanoseconds = 0
    }

    /// Adds memory, with what a log of the kernel's has of it.
    /// - Parameters:
    ///   - range: above all there is in the round. Until `finish(_:)`, this memory must not change.
    ///   - fill: sets all of its words: a bit for each page, the first in the lowest bit of the first. Where it throws, nothing
    ///     is added.
    @inlinable
    package mutating func append<Failure: Error>(
        _ range: MemoryRange, _ fill: (UnsafeMutableBufferPointer<UInt64>) throws(Failure) -> Void
    ) throws(Failure) {
        var piece = makeRoom(range)
        try words.withUnsafeMutableBufferPointer { (words) throws(Failure) in
            let room = UnsafeMutableBufferPointer(rebasing: words[piece.words])
            try fill(room)
            // At once, while they are in the cache.
            piece.pageCount = UnsafeBufferPointer(room).setBitCount()
        }
        append(piece)
    }

    /// Adds memory no page of which was written, as far as is known yet.
    /// - Parameter range: as of the other.
    package mutating func append(_ range: MemoryRange) {
        let piece = makeRoom(range)
        for word in piece.words { words[word] = 0 }
        append(piece)
    }

    /// The words of the memory that was added last.
    /// - Parameter body: not called where none of its pages was written.
    @inlinable
    package borrowing func withLastWords<Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt64>) throws(Failure) -> Void
    ) throws(Failure) {
        guard let piece = pieces.last, piece.pageCount > 0 else { return }
        try words.withUnsafeBufferPointer { (words) throws(Failure) in
            try body(UnsafeBufferPointer(rebasing: words[piece.words]))
        }
    }

    @usableFromInline
    mutating func makeRoom(_ range: MemoryRange) -> DirtyPiece {
        if map == nil { map = bitmaps?.map }
        let piece = DirtyPiece(range: range, firstWord: wordCount)
        let end = piece.words.upperBound
        if words.count < end { words.append(contentsOf: repeatElement(0, count: end - words.count)) }
        return piece
    }

    @usableFromInline
    mutating func append(_ piece: DirtyPiece) {
        wordCount = piece.words.upperBound
        pieces.append(piece)
    }

    /// Adds pages that a ring had, of the memory that was added.
    /// - Parameter others: called with those that are not in one piece of it.
    package mutating func add(_ ranges: [MemoryRange], _ others: (MemoryRange) -> Void) {
        words.withUnsafeMutableBufferPointer { words in
            // Of the same slot, mostly, as the pages before.
            var last: DirtyPiece?
            var (lastIndex, count) = (0, 0 as UInt64)
            for range in ranges {
                if last?.range.contains(range) != true {
                    guard let index = pieces.firstIndex(where: { $0.range.contains(range) }) else {
                        others(range)
                        continue
                    }
                    if last != nil { pieces[lastIndex].pageCount += count }
                    (last, lastIndex, count) = (pieces[index], index, 0)
                }
                if let last { count &+= words.setBits(last.wordBits(of: range)) }
            }
            if last != nil { pieces[lastIndex].pageCount += count }
        }
    }

    package mutating func noteKernelTime(since began: MonotonicTime) {
        kernelNanoseconds &+= MonotonicTime.now.nanoseconds &- began.nanoseconds
    }

    /// Adds what the bitmaps have, and counts.
    /// - Parameter range: what is wanted; other pages that were added are put back. Nil for all.
    package mutating func finish(_ range: MemoryRange?) {
        for index in pieces.indices {
            if let range { narrow(index, to: range) }
            let piece = pieces[index]
            words.withUnsafeMutableBufferPointer { words in
                let room = UnsafeMutableBufferPointer(rebasing: words[piece.words])
                var span = room.mutableSpan
                guard let map, map.harvestDirtyPages(of: piece.range, into: &span) > 0 else { return }
                // Some of them may be in the log as well.
                pieces[index].pageCount = UnsafeBufferPointer(room).setBitCount()
            }
            pageCount += pieces[index].pageCount
        }
    }

    /// Leaves the pages of a piece to the bitmaps that are in it only in part.
    private mutating func narrow(_ index: Int, to range: MemoryRange) {
        let piece = pieces[index]
        guard let common = piece.range.intersection(range), common != piece.range else { return }
        putBack(piece)
        pieces[index].range = common
        pieces[index].pageCount = 0
        let words = pieces[index].words
        for word in words { self.words[word] = 0 }
    }
}

/// Memory with a bit for each page.
@usableFromInline
struct DirtyPiece: Sendable {
    @usableFromInline var range: MemoryRange
    /// Of the first page, in the lowest bit; among those of the round.
    @usableFromInline let firstWord: Int
    /// How many were written: as many as its words have bits, always. One without any is passed over.
    @usableFromInline var pageCount: UInt64 = 0

    init(range: MemoryRange, firstWord: Int) {
        self.range = range
        self.firstWord = firstWord
    }

    @inlinable
    var words: Range<Int> {
        firstWord..<(firstWord &+ Int(truncatingIfNeeded: (range.pageCount &+ 63) &>> 6))
    }

    /// The memory of some pages, by the numbers of their bits. Bits beyond the last page are 0.
    @inlinable
    @inline(__always)
    func range(of bits: Range<UInt64>) -> MemoryRange {
        let start = range.start.rawValue
        return MemoryRange(
            uncheckedFrom: GuestAddress(start &+ bits.lowerBound &<< PageSize.size4K.shift),
            through: GuestAddress(start &+ (bits.upperBound &<< PageSize.size4K.shift) &- 1))
    }

    /// The bits of the pages in another range; nil where there are none.
    func bits(of other: MemoryRange) -> Range<UInt64>? {
        guard let common = range.intersection(other) else { return nil }
        let first = range.frames.lowerBound
        return (common.frames.lowerBound - first)..<(common.frames.upperBound - first)
    }

    /// The bits of pages that it has, among those of all words.
    @inline(__always)
    func wordBits(of other: MemoryRange) -> ClosedRange<UInt64> {
        let (first, start) = (UInt64(firstWord) &<< 6, range.start.rawValue)
        let shift = PageSize.size4K.shift
        return ClosedRange(
            uncheckedBounds: (
                first &+ (other.start.rawValue &- start) &>> shift, first &+ (other.last.rawValue &- start) &>> shift
            ))
    }
}
