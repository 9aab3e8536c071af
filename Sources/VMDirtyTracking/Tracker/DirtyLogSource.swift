import VMAddressSpace
import VMRegions

/// Where a tracker gets the kernel's part of the truth: the memory slots of a machine, with their logs. Calls are made one
/// after another; memory may change between them, and in them.
package protocol DirtyLogSource: AnyObject, Sendable {
    /// Whether the machine is gone.
    var isGone: Bool { get }

    /// What the machine has for logging.
    var support: DirtyTrackingSupport { get }

    /// How many pages each vCPU was found to have written, where the method tells. They count on and on.
    var dirtyPageCounts: [UInt64]? { get }

    /// Begins to log.
    /// - Parameter isInitiallySet: whether every page is to be in the log at once, where that makes it cheaper.
    /// - Throws: nothing has changed then, unless the error says so.
    func startLogging(_ method: DirtyTrackingMethod, isInitiallySet: Bool) throws(PartitionError)

    /// Ends logging. What the log has still is handed over to the regions' bitmaps.
    /// - Throws: it goes on then.
    func stopLogging() throws(PartitionError)

    /// Adds all memory to a round, with what the kernel's logs or rings have of it, which begin anew; then finishes the round,
    /// before anything of the memory can change.
    /// - Parameter range: what is wanted; nil for all. Of slots that are in it only in part, the log may have begun anew for
    ///   all of their pages, if they are all in the round.
    /// - Returns: false where the machine is gone: nothing was added then.
    /// - Throws: the round then has what was taken so far, and is not finished.
    func readDirtyLog(_ range: MemoryRange?, into round: inout DirtyRound) throws(PartitionError) -> Bool
}
