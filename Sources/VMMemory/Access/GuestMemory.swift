import VMAddressSpace

/// Guest memory as devices and loaders reach it: a handle to whatever memory map is in force, or to a part of it.
///
/// - Any thread may use it at any time, also while vCPUs run and while the map changes: one access, or one piece of a
///   longer one, sees one map. Like two processors of one machine, an access sees what others store at the same time in
///   no promised order; naturally aligned values of 1, 2, 4 and 8 bytes are never torn.
/// - Accesses may cross from one region to the next. One that reaches past the memory there is changes nothing.
/// - What is written is marked in the bitmaps of its regions, after the write. Reads mark nothing.
/// - A fault of the host, such as one on a file that was truncated, comes back as an error.
/// - An access of length 0 succeeds anywhere.
///
/// All methods throw `GuestMemoryError`, which says what `completed` before. Single accesses allocate nothing and count no
/// references unless something fails.
public struct GuestMemory: Sendable {
    /// The map that is accessed.
    public let map: GuestMemoryAtomic<RegionMap>
    /// What the memory is called in errors.
    public let name: String
    /// The guest-physical address of the handle's address 0.
    let base: UInt64
    /// The handle's last address.
    let last: UInt64

    /// A handle to all of the memory of a map. The first one puts the handlers of SIGSEGV and SIGBUS in place that make
    /// faults errors. Should the process not let it, memory can be accessed all the same, and a fault ends the process as
    /// it does elsewhere: see `installFaultHandlers()`.
    /// - Parameter name: for errors.
    public init(_ map: GuestMemoryAtomic<RegionMap>, name: String = "guest memory") {
        _ = Self.firstInstallation
        self.init(map, name: name, base: 0, last: .max)
    }

    init(_ map: GuestMemoryAtomic<RegionMap>, name: String, base: UInt64, last: UInt64) {
        self.map = map
        self.name = name
        self.base = base
        self.last = last
    }

    /// The guest-physical address of the first of `count` bytes at an address of this handle; nil where they are not all
    /// within its bounds.
    /// - Parameter count: above 0. For 0, whatever comes of it is the start of no access.
    @inline(__always)
    func start(_ address: GuestAddress, _ count: UInt64) -> UInt64? {
        // `base + last` does not overflow, so neither does any sum of `base` and an address up to `last`.
        guard address.rawValue <= last, count &- 1 <= last &- address.rawValue else { return nil }
        return base &+ address.rawValue
    }
}
