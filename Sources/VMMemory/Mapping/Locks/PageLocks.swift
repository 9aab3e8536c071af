import VMAddressSpace
import VMHost

/// Which pages are locked: in use by a device or a kernel that was given their address, so that they must stay as they
/// are. Locks count: a page is locked until it has been unlocked as often as it was locked.
///
/// Locking and unlocking cost O(log n) in the number of locked runs, whatever the ranges' lengths; they allocate nothing
/// once as many runs have been locked before.
///
/// Whoever is about to take pages away claims them first. A claim is refused while one of the pages is locked, and
/// `lock(_:)` waits while one is claimed: so no page is ever both. A claim must therefore be short, and is never made by
/// a thread that could be asked to lock the same pages.
///
/// Threads: any, several at once.
public final class PageLocks: Sendable {
    private struct State: ~Copyable {
        var counts = LockCounts()
        var claims: [Range<UInt64>] = []

        func firstLocked(in pages: Range<UInt64>) -> Range<UInt64>? {
            counts.isEmpty || pages.isEmpty ? nil : counts.firstRun(locked: true, in: pages)
        }
    }

    private let state = Monitor(State())

    public init() {}

    /// Locks pages once more. Waits while they are being taken away; who locks must then look whether they are there.
    /// - Parameter pages: page numbers; an empty range locks nothing.
    public func lock(_ pages: Range<UInt64>) {
        guard !pages.isEmpty else { return }
        state.wait { current -> Void? in
            guard !current.claims.contains(where: pages.overlaps) else { return nil }
            current.counts.add(1, to: pages)
            return ()
        }
    }

    /// Undoes one `lock(_:)` of each page. The ranges need not be those that were locked.
    /// - Parameter pages: page numbers; an empty range unlocks nothing.
    /// - Throws: `notLocked` where one of them is not locked.
    public func unlock(_ pages: Range<UInt64>) throws(HostMemoryError) {
        guard !pages.isEmpty else { return }
        let missing: Range<UInt64>? = state.change { current in
            guard current.counts.lowest(in: pages) > 0 else { return current.counts.firstRun(locked: false, in: pages) }
            current.counts.add(-1, to: pages)
            return nil
        }
        if let missing {
            let bytes = Self.bytes(pages)
            let extent = HostMemoryError.Extent(offset: bytes.lowerBound, count: bytes.upperBound - bytes.lowerBound)
            throw HostMemoryError(.unlock, extent, .notLocked(Self.bytes(missing)))
        }
    }

    /// Whether at least one of the pages is locked.
    /// - Parameter pages: page numbers.
    public func isLocked(_ pages: Range<UInt64>) -> Bool {
        firstLocked(in: pages) != nil
    }

    /// The first run of locked pages in a range.
    /// - Parameter pages: page numbers.
    public func firstLocked(in pages: Range<UInt64>) -> Range<UInt64>? {
        state.withLock { $0.firstLocked(in: pages) }
    }

    /// Sleeps until none of the pages is locked. They can be locked again by the time this returns.
    /// - Parameter pages: page numbers.
    /// - Returns: whether that came to be within `timeout`.
    public func waitUntilUnlocked(_ pages: Range<UInt64>, timeout: Duration) -> Bool {
        waitUntilUnlocked(pages, until: .now.advanced(by: timeout))
    }

    func waitUntilUnlocked(_ pages: Range<UInt64>, until deadline: MonotonicTime) -> Bool {
        state.wait(until: deadline) { $0.firstLocked(in: pages) == nil ? true : nil } ?? false
    }

    /// Claims pages, unless one of them is locked. Claims that are in force do not overlap: the caller sees to that.
    /// - Returns: the first run that is locked; nil where the pages are now claimed.
    func claim(_ pages: Range<UInt64>) -> Range<UInt64>? {
        state.withLock { current in
            if let locked = current.firstLocked(in: pages) { return locked }
            current.claims.append(pages)
            return nil
        }
    }

    /// Ends a claim.
    func release(_ pages: Range<UInt64>) {
        state.change { current in current.claims.removeAll { $0 == pages } }
    }

    /// The bytes of pages, up to the start of the last page below 2^64.
    static func bytes(_ pages: Range<UInt64>) -> Range<UInt64> {
        let shift = PageSize.size4K.shift
        let last = UInt64.max >> shift
        return min(pages.lowerBound, last) << shift..<min(pages.upperBound, last) << shift
    }
}
