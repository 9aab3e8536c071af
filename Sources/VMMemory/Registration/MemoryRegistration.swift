import VMAddressSpace

/// A user of guest memory that must be told of it before it is handed an address in it: VFIO's DMA mappings,
/// userfaultfd, fixed buffers of io_uring. `MemoryRegistrar` calls it for no more memory than is needed.
///
/// Ranges are guest-physical plus the registrar's offset. Each call either does all of its range or throws and does
/// nothing. Calls come from the threads that expose memory, several at once but never on overlapping ranges of one
/// registrar; no lock is held, so a call may block. A call must not use the registrar that makes it.
public protocol MemoryRegistration: Sendable {
    /// Why a call did nothing.
    associatedtype Failure: Error

    /// Whether `unregister(_:)` can take a part of what one call of `register(_:)` was given. VFIO's type 1 and io_uring
    /// cannot; userfaultfd can.
    var canSplit: Bool { get }

    /// Registers a range, no page of which is registered.
    func register(_ range: MemoryRange) throws(Failure)

    /// Undoes the registration of a range: of all that one call of `register(_:)` was given or, with `canSplit`, of what
    /// is left of that, or a part.
    func unregister(_ range: MemoryRange) throws(Failure)
}
