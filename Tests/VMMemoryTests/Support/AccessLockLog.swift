import VMAddressSpace
import VMHost
import VMMemory

/// What backings were asked to do about locks, in order.
final class AccessLockLog: Sendable {
    enum Event: Hashable, Sendable {
        case lock(String, offset: UInt64, count: UInt64)
        case expose(String, offset: UInt64, count: UInt64)
        case unlock(String, offset: UInt64, count: UInt64)
    }

    private let log = Monitor<[Event]>([])

    var events: [Event] { log.withLock { $0 } }

    func note(_ event: Event) {
        log.withLock { $0.append(event) }
    }

    func clear() {
        log.withLock { $0 = [] }
    }
}

/// A backing that notes what it is asked about locks, and refuses what the test wants refused.
final class AccessLockable: GuestMemoryAccess {
    private let pages: AccessPages
    private let name: String
    private let log: AccessLockLog
    private let refuses: @Sendable (AccessLockLog.Event) -> Bool
    let accessBitmap: AccessBitmap?
    // The bits live as long as this does.
    private let permissions: PagePermissions?

    static let refusal = GuestMemoryBackingError("the pages are on the move")

    /// - Parameter refuses: called with each event once it is noted.
    init(
        _ name: String, pages: Int, log: AccessLockLog, permissions: PagePermissions? = nil,
        refuses: @escaping @Sendable (AccessLockLog.Event) -> Bool = { _ in false }
    ) throws {
        self.pages = try AccessPages(pages: pages)
        self.name = name
        self.log = log
        self.refuses = refuses
        self.permissions = permissions
        accessBitmap = permissions?.accessBitmap
    }

    var mapping: UnsafeMutableRawPointer? { pages.base }
    var byteCount: UInt64 { pages.byteCount }

    func lockPages(
        offset: UInt64, count: UInt64, for purpose: GuestMemory.Purpose
    ) throws(GuestMemoryBackingError) {
        try note(.lock(name, offset: offset, count: count))
    }

    func exposeHostAddresses(offset: UInt64, count: UInt64) throws(GuestMemoryBackingError) {
        try note(.expose(name, offset: offset, count: count))
    }

    func unlockPages(offset: UInt64, count: UInt64) {
        log.note(.unlock(name, offset: offset, count: count))
    }

    private func note(_ event: AccessLockLog.Event) throws(GuestMemoryBackingError) {
        log.note(event)
        if refuses(event) { throw Self.refusal }
    }
}
