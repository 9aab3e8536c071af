import Synchronization
import VMAddressSpace

/// A region of a manager. It is removed when its handle goes, by and by: once its pages are unlocked, and nobody reads an
/// older memory map. Who has to wait for that calls `teardown()`.
///
/// It is a class because who has regions has several, and keeps them in arrays.
///
/// All its methods throw `RegionManagerError`; nothing has changed then. Any thread may call them.
public final class RegionHandle: Sendable {
    /// The region's number, in inspections and errors.
    public let id: RegionID
    /// Not kept: a manager that goes takes its regions along.
    private weak let manager: RegionManager?
    /// Whether the region has been removed, so that dropping the handle is nothing to the manager.
    private let isRemoved = Atomic(false)

    init(_ id: RegionID, of manager: RegionManager) {
        self.id = id
        self.manager = manager
    }

    func belongs(to manager: RegionManager) -> Bool {
        self.manager === manager
    }

    func noteRemoval() {
        isRemoved.store(true, ordering: .relaxed)
    }

    deinit {
        guard !isRemoved.load(ordering: .relaxed), let manager else { return }
        // Not kept: with a manager that goes, the region has gone.
        manager.queue.enqueue { [id, weak manager] in manager?.assumeIsolated { $0.removeDropped(id) } }
    }

    /// Maps the region, or changes how it is mapped.
    public func map(_ parameters: MapParameters = MapParameters()) async throws(RegionManagerError) {
        var update = RegionUpdate()
        update.map(self, parameters)
        try await apply(update)
    }

    /// Hides the region; what it hid is seen again.
    public func unmap() async throws(RegionManagerError) {
        var update = RegionUpdate()
        update.unmap(self)
        try await apply(update)
    }

    /// Puts memory into the region, in the place of what was there. See `RegionUpdate.addMapping`.
    public func addMapping(
        at offset: UInt64 = 0, of backing: RegionBacking, backingOffset: UInt64 = 0, count: UInt64,
        isWritable: Bool? = nil
    ) async throws(RegionManagerError) {
        var update = RegionUpdate()
        update.addMapping(
            to: self, at: offset, of: backing, backingOffset: backingOffset, count: count, isWritable: isWritable)
        try await apply(update)
    }

    /// Takes memory out of a part of the region; mappings that reach beyond are cut.
    public func removeMappings(at offset: UInt64, count: UInt64) async throws(RegionManagerError) {
        var update = RegionUpdate()
        update.removeMappings(from: self, at: offset, count: count)
        try await apply(update)
    }

    /// Moves the region, with its memory, to start elsewhere. Processors see it at the one place or at the other.
    public func move(to address: GuestAddress) async throws(RegionManagerError) {
        var update = RegionUpdate()
        update.move(self, to: address)
        try await apply(update)
    }

    /// Gives the region another length, in bytes; memory past the new end is cut off.
    public func resize(to count: UInt64) async throws(RegionManagerError) {
        var update = RegionUpdate()
        update.resize(self, to: count)
        try await apply(update)
    }

    /// Removes the region, and returns once nobody uses its memory any more: no reader of an older memory map, no device
    /// that locked its pages.
    /// - Parameter timeout: how long locked pages and readers are waited for; nil for as long as it takes.
    /// - Throws: where it fails, the region is in force as it was, and this handle good.
    public func teardown(waitingUpTo timeout: Duration? = nil) async throws(RegionManagerError) {
        guard let manager else { throw .managerGone }
        try await manager.tearDown(self, waitingUpTo: timeout)
    }

    private func apply(_ update: RegionUpdate) async throws(RegionManagerError) {
        guard let manager else { throw .managerGone }
        try await manager.apply(update)
    }
}
