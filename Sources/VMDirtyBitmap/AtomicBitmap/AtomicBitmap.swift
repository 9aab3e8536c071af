import SystemPackage
import VMHost

/// A bitmap that many threads mark while others harvest it.
///
/// One bit stands for a page, 64 pages for a word; a summary has one bit for each word, so that clean memory is passed
/// over at 4096 pages a load. A mark that finds its bits set writes nothing: threads that mark the same pages again and
/// again share the cache line instead of taking it from each other.
///
/// # The rule: write, then mark; clear, then copy
/// A writer stores its data, then marks. Whoever copies memory clears first (a harvest and `clear` do), then copies. So
/// long as both keep to it, **each write is in the copy, or its page is dirty again after the clear**; once the writers
/// have stopped, a last harvest leaves the copy equal to the memory.
///
/// ## Proof
/// *A mark is found.* Let mark M leave bit b of word w set: it set b itself, or read it set. It then reads or writes the
/// summary bit s of w, which it also leaves set. A harvest that begins after M finds s set, or some harvest cleared s
/// after M saw it. Whichever cleared s goes on to w, and finds b unless another took b after M: the order in which
/// everybody goes (marks: w, then s; harvests: s, then w) is kept, for
/// - all loads and read-modify-writes are sequentially consistent, and
/// - where a mark stores a whole word instead (all ones, a superset of any other mark; a release store), it does not test
///   s, for that load could overtake the store: it writes s, which no processor does before the store of w is visible.
///
/// So a harvest H reports every page marked before H began, unless another harvest running at the time does. In the C11
/// model that covers all but two marks that store the same whole words at once, where the later store hides the earlier
/// from whoever would synchronise with it; there it rests on stores becoming visible to all processors in one order, as
/// x86 (TSO) and Arm v8 have it.
///
/// *The data is found.* Mark M comes after data store D, with the light half of an asymmetric barrier, L, in between.
/// Harvest H clears b by X, then runs the heavy half, F, then copies (C). Take the first X after what M read or wrote in
/// b's order of modification; where there is none, b stays set, and the page dirty. One half comes before the other:
/// - L before F: C comes after D, and the copy has the data.
/// - F before L: M then sees X or something later, and can neither have read what was there before X nor be overwritten
///   by X, against the choice of X.
///
/// This holds however M marked, and above all where it only looked: on x86 a load may overtake the store of D before it,
/// which F makes up for on the writer's behalf (`ProcessBarrier`; without `membarrier(2)`, L is a full barrier).
///
/// What is relied on: L keeps the compiler from moving D behind the mark, whatever D is, a plain store included. H runs
/// F after its last X and before it returns, or hands out a run; if it took nothing, there is nothing to copy.
///
/// Threads: everything may be called from any thread at any time.
public final class AtomicBitmap: NewBitmap, @unchecked Sendable {
    // SAFETY: the storage is mapped until `deinit`; what changes in it is atomic. The rest is constant. A method that
    // has read `storage` may be inlined into the last user of the bitmap, so each extends the bitmap's life to its end.
    @usableFromInline let storage: BitmapStorage
    private let layout: BitmapLayout
    /// The longest memory it can come to track, in bytes.
    public let growthLimit: UInt64

    /// All clean, in pages of 4 KiB.
    public convenience init(byteCount: UInt64) throws(BitmapError) {
        try self.init(byteCount: byteCount, pageSize: 4096)
    }

    /// All clean. The bitmap's own memory is one bit for each page and comes with the marks: what nobody marks costs
    /// address space alone.
    /// - Parameters:
    ///   - byteCount: the length of the tracked memory. The last page may be there only in part.
    ///   - pageSize: bytes for one bit, any power of two: 4 KiB and 2 MiB are what x86 processors map.
    ///   - growthLimit: the length up to which it can grow; `byteCount` where nil.
    /// - Throws: `.invalidPageSize`, `.beyondReserve` where the limit is below the length, `.noMemory`.
    public init(byteCount: UInt64, pageSize: UInt64, growableTo growthLimit: UInt64? = nil) throws(BitmapError) {
        guard pageSize.nonzeroBitCount == 1 else { throw .invalidPageSize(pageSize) }
        let growthLimit = growthLimit ?? byteCount
        guard byteCount <= growthLimit else { throw .beyondReserve(byteCount: byteCount, reserve: growthLimit) }
        let layout = BitmapLayout(
            trackedBytes: byteCount, growableTo: growthLimit, pageShift: UInt64(pageSize.trailingZeroBitCount))
        guard let storage = BitmapStorage.allocate(layout, byteCount: byteCount) else {
            throw .noMemory(byteCount: growthLimit, errno: .last)
        }
        self.storage = storage
        self.layout = layout
        self.growthLimit = growthLimit
    }

    deinit {
        storage.deallocate(layout)
    }

    /// The length of the tracked memory, in bytes.
    @inlinable
    public var byteCount: UInt64 {
        defer { withExtendedLifetime(self) {} }
        return storage.byteCount
    }

    /// The bytes for which one bit stands: a power of two.
    @inlinable
    public var pageSize: UInt64 {
        defer { withExtendedLifetime(self) {} }
        return 1 &<< storage.pageShift
    }

    /// The pages tracked, the last perhaps there only in part.
    @inlinable
    public var pageCount: UInt64 {
        defer { withExtendedLifetime(self) {} }
        return storage.pageCount
    }

    /// Tracks more memory from now on, its pages clean, while marks and harvests go on. Slices, too, see the growth.
    /// A length that is tracked already changes nothing: a bitmap never shrinks.
    /// - Throws: `.beyondReserve` above `growthLimit`, `.noMemory`. Nothing has changed then.
    public func grow(toByteCount byteCount: UInt64) throws(BitmapError) {
        defer { withExtendedLifetime(self) {} }
        guard byteCount <= growthLimit else { throw .beyondReserve(byteCount: byteCount, reserve: growthLimit) }
        guard byteCount > storage.byteCount else { return }
        guard storage.grow(layout, toByteCount: byteCount) else {
            throw .noMemory(byteCount: byteCount, errno: .last)
        }
    }

    /// Every page, however many there are: ranges of pages end where the bitmap does.
    @inlinable
    public static var allPages: Range<UInt64> { 0..<UInt64.max }
}
