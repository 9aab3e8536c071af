import VMHost

extension GuestMemoryAtomic {
    /// Waits until nobody else is changing the map, and keeps others from it until the result is dropped or replaces the
    /// map. Readers are not kept from anything.
    ///
    /// Whoever holds the lock and asks for it again waits for ever.
    public func lock() -> Update {
        changes.wait { changes -> Void? in
            guard !changes.isLocked else { return nil }
            changes.isLocked = true
            return ()
        }
        return Update(self)
    }

    /// Replaces the map by what `change` makes of it. Changes of several threads happen one after another, so that none
    /// is lost.
    /// - Throws: what `change` throws; the map then stays what it is.
    public func update<Failure: Error>(_ change: (Map) throws(Failure) -> Map) throws(Failure) {
        let update = lock()
        let changed = try change(update.map)
        update.replace(with: changed)
    }

    /// The right to replace the map.
    public struct Update: ~Copyable {
        private let owner: GuestMemoryAtomic
        /// The map in force, which nobody else can replace now.
        public let map: Map

        init(_ owner: GuestMemoryAtomic) {
            self.owner = owner
            self.map = owner.memory().retained()
        }

        /// Publishes `map`, calls the listeners, and ends the lock.
        public consuming func replace(with map: Map) {
            owner.publish(map)
        }

        deinit {
            owner.changes.change { $0.isLocked = false }
        }
    }

    /// Calls `body` with each new map and its generation, in their order, until the result is let go of. It is called by
    /// the thread that changes the map, after the map is published and before the lock is free: it must not change the
    /// map itself.
    public func addListener(_ body: @escaping @Sendable (Map, UInt64) -> Void) -> Listener {
        let id = changes.withLock { changes in
            changes.nextListener += 1
            changes.listeners.append(
                (
                    changes.nextListener,
                    { [weak self] generation in
                        // Nobody else can replace the map before this has returned.
                        if let map = self?.memory().retained() { body(map, generation) }
                    }
                ))
            return changes.nextListener
        }
        return Listener { [weak self] in
            // What `body` captured goes outside the lock: it may hold a listener itself.
            _ = self?.changes.withLock { changes in
                changes.listeners.firstIndex { $0.id == id }.map { changes.listeners.remove(at: $0) }
            }
        }
    }

    /// A listener that is called for as long as this object lives. A call under way in another thread may still end after
    /// that.
    public final class Listener: Sendable {
        private let remove: @Sendable () -> Void

        init(_ remove: @escaping @Sendable () -> Void) {
            self.remove = remove
        }

        deinit {
            remove()
        }
    }
}

/// What those that change a map share.
struct SnapshotChanges {
    var isLocked = false
    /// Called with the generation of each new map.
    var listeners: [(id: UInt64, body: @Sendable (UInt64) -> Void)] = []
    var nextListener: UInt64 = 0
    /// Readers that a `synchronize` gave up waiting for.
    var readersLeft: [HeldSlot] = []
}
