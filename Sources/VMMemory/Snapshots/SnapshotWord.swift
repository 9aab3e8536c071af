/// What a `GuestMemoryAtomic` publishes and its readers put into their slots: the address of a map, and above it a tag
/// by which `synchronize` tells the readers that came before it from those that came after.
@usableFromInline
struct SnapshotWord {
    @usableFromInline let rawValue: UInt

    // Linux gives user space the lower 47 bits of the address space, unless it asks mmap for more.
    @usableFromInline static let tagShift: UInt = 48
    private static let tagUnit: UInt = 1 << tagShift

    @inlinable init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    /// The address of the map.
    @inlinable var pointer: UInt { rawValue & (1 << Self.tagShift - 1) }

    private var tag: UInt { rawValue >> Self.tagShift }

    /// The word for another map. The tag stays: the address tells the two apart.
    func with(pointer: UInt) -> SnapshotWord {
        SnapshotWord(rawValue: rawValue & ~(Self.tagUnit - 1) | pointer)
    }

    /// The word for the same map by which later readers can be told from earlier ones.
    var next: SnapshotWord {
        SnapshotWord(rawValue: rawValue &+ Self.tagUnit)
    }

    /// Whether its tag came before that of another word of the same `GuestMemoryAtomic`.
    ///
    /// Tags wrap around, but those in use at one time are close together: only `synchronize` begins a new one, and not
    /// while there are readers that an earlier call gave up on. It would take 32,768 threads in it at once.
    func precedes(_ other: SnapshotWord) -> Bool {
        Int(bitPattern: (tag &- other.tag) << Self.tagShift) < 0
    }
}
