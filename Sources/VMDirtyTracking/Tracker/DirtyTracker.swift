import VMAddressSpace
import VMHost
import VMMemory
import VMRegions

/// Tracks which pages of a machine's memory are written, by the guest or by the monitor for it: one truth, in the bitmaps of
/// the regions, which the kernel's log is added to with each harvest.
///
/// ```
/// var round = DirtyRound()
/// try machine.dirtyTracker.start()
/// try machine.dirtyTracker.harvest(into: &round)
/// try round.forEachRun { range in try send(range) }
/// ```
///
/// # What a harvest says
/// - Each page that was written while the machine stood still or before, and since it was last reported, is in it. While the
///   guest runs, processors that log pages by themselves can hold some hundreds back for the next harvest; with
///   `DirtyTrackingMethod.ring` none, as the vCPUs stand still while the rings are read.
/// - Every write is in what is copied of a page after the harvest, or the page is in a later one: the log begins anew before
///   the harvest returns. Clear, then copy.
/// - Nothing is lost by failing. A harvest that throws leaves every page to the next, and `DirtyRound.putBack()` does so
///   with one that came to nothing.
/// - Memory that comes while tracking is on is clean until it is written; what was written to memory that goes is kept by its
///   backing, and reported when that can be seen again. A page that can be seen at several addresses is reported at
///   the one where it was written by the guest, and at any one of them where it was by the monitor. Whoever copies pages
///   while regions change has to keep the two apart.
///
/// Threads: any but those of vCPUs; one call is made after another. It can be used when its machine is gone, whose memory it
/// keeps, to no avail: calls say `machineGone`.
public final class DirtyTracker: Sendable {
    /// How the machine was made.
    public enum Setup: Hashable, Sendable {
        /// Without rings.
        /// - Parameter preferred: the one to take where nobody asks for another; nil for the best there is.
        case bitmaps(preferred: DirtyTrackingMethod?)
        /// With a ring for each vCPU, which excludes bitmaps.
        case rings
        /// Not to be tracked.
        case off
    }

    private let source: any DirtyLogSource
    private let bitmaps: DirtyLogSink
    private let setup: Setup
    /// What it is tracked by. Held during calls.
    private let current = Monitor<DirtyTrackingMethod?>(nil)

    package init(_ source: any DirtyLogSource, _ bitmaps: DirtyLogSink, _ setup: Setup) {
        self.source = source
        self.bitmaps = bitmaps
        self.setup = setup
    }

    /// What the machine can be tracked by, the one that `start()` takes first.
    public var methods: [DirtyTrackingMethod] { methods(source.support) }

    private func methods(_ support: DirtyTrackingSupport) -> [DirtyTrackingMethod] {
        switch setup {
        case .bitmaps(let preferred):
            (preferred.map { [$0] } ?? []) + support.methods.filter { $0 != .ring && $0 != preferred }
        case .rings: [.ring]
        case .off: []
        }
    }

    /// What it is tracked by; nil while it is not.
    public var method: DirtyTrackingMethod? { current.withLock(\.self) }

    /// How many pages each vCPU was found to have written since the machine was made; nil where only `ring` could tell, and
    /// once the machine is gone.
    public var dirtyPageCounts: [UInt64]? { source.dirtyPageCounts }

    /// Begins to track, while the guest runs or before.
    /// - Parameter method: nil for the first of `methods`.
    /// - Throws: `unsupported`, `fixed`, `switchedOff`, `alreadyTracking`, `machineGone`, `partition`; nothing has changed then.
    public func start(_ method: DirtyTrackingMethod? = nil, from baseline: DirtyBaseline = .clean)
        throws(DirtyTrackingError)
    {
        try current.withLock { (current) throws(DirtyTrackingError) in
            if let current { throw .alreadyTracking(current) }
            let support = source.support
            let method = try checked(method, support)
            guard !source.isGone else { throw .machineGone }
            try DirtyTrackingError.wrap { () throws(PartitionError) in
                try source.startLogging(method, isInitiallySet: baseline == .dirty && support.hasInitiallySet)
            }
            guard !source.isGone else { throw .machineGone }
            switch baseline {
            case .clean: bitmaps.map.clearDirtyPages(of: .whole)
            case .dirty: bitmaps.map.markDirty(.whole)
            }
            current = method
        }
    }

    /// Ends tracking. What was written and not harvested stays marked in the regions' bitmaps.
    /// - Throws: `notTracking`; `partition`, and it goes on then.
    public func stop() throws(DirtyTrackingError) {
        try current.withLock { (current) throws(DirtyTrackingError) in
            guard current != nil else { throw .notTracking }
            if !source.isGone {
                try DirtyTrackingError.wrap { () throws(PartitionError) in try source.stopLogging() }
            }
            current = nil
        }
    }

    /// Takes the pages that were written since the harvest before, or the start.
    /// - Parameters:
    ///   - range: only pages there; nil for all.
    ///   - round: gets them. What it has is forgotten first.
    /// - Throws: `notTracking`, `machineGone`, `partition`; the round is empty then, and the next harvest has all pages.
    public func harvest(_ range: MemoryRange? = nil, into round: inout DirtyRound) throws(DirtyTrackingError) {
        try current.withLock { (current) throws(DirtyTrackingError) in
            let began = MonotonicTime.now
            round.begin(bitmaps)
            guard current != nil else { throw .notTracking }
            let isThere: Bool
            do throws(PartitionError) {
                isThere = try source.readDirtyLog(range, into: &round)
            } catch {
                round.putBack()
                throw .partition(error)
            }
            guard isThere else { throw .machineGone }
            round.nanoseconds = MonotonicTime.now.nanoseconds &- began.nanoseconds
        }
    }

    private func checked(
        _ method: DirtyTrackingMethod?, _ support: DirtyTrackingSupport
    ) throws(DirtyTrackingError) -> DirtyTrackingMethod {
        guard let preferred = methods(support).first else { throw .switchedOff }
        let method = method ?? preferred
        guard (method == .ring) == (setup == .rings) else { throw .fixed(method) }
        guard support.has(method) else { throw .unsupported(method, use: preferred) }
        return method
    }
}
