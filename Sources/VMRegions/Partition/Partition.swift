import VMAddressSpace

/// Something that a guest's processors see memory through: a virtual machine in the kernel, an IOMMU.
///
/// A `RegionManager` calls it, from one thread at a time:
///
///     begin(change)  unmap(change.unmapped)  map(change.mapped)  end()
///
/// Between the two steps in the middle the memory on the host changes. Where something fails there, or in another
/// partition, what has been done is undone by the same calls, and `restore()`, before `end()`: `unmap` of what was mapped,
/// `map` of what was unmapped. Either step is left out where it has nothing to do.
///
/// A partition that goes away unmaps everything by itself.
public protocol Partition: AnyObject, Sendable {
    /// For errors and inspection.
    var name: String { get }

    /// Gets ready for a change: keeps the guest's processors out, if they would see a range vanish that is there before
    /// and after.
    /// - Throws: nothing has changed then, and `end()` is not called.
    func begin(_ change: PartitionChange) throws(PartitionError)

    /// Takes ranges away from the guest. All of each is mapped; together they need not be whole mappings.
    /// - Parameter ranges: ascending and disjoint.
    /// - Throws: nothing has changed then, or `restore()` sees to it.
    func unmap(_ ranges: [MemoryRange]) throws(PartitionError)

    /// Shows the guest memory.
    /// - Parameter mappings: ascending and disjoint; nothing is mapped there.
    /// - Throws: nothing has changed then, or `restore()` sees to it.
    func map(_ mappings: [PartitionMapping]) throws(PartitionError)

    /// Undoes what a step that threw has done and could not undo at once. Where all could be, there is nothing to do: a
    /// partition that always can has no need of a method of its own.
    /// - Throws: it cannot be undone now either. The processors, which would miss memory, are kept out; the call is to be
    ///   repeated, and `end()` has to wait.
    func restore() throws(PartitionError)

    /// Ends what `begin` began; the processors run again.
    func end()

    /// What is known of it.
    var inspection: PartitionInspection { get }
}

extension Partition {
    public func restore() throws(PartitionError) {}
}

/// Memory for a partition.
public struct PartitionMapping: Hashable, Sendable {
    /// Guest-physical.
    public var range: MemoryRange
    /// The page-aligned address of the memory behind its first byte, as an integer: it owns no memory.
    public var hostAddress: UInt
    public var isWritable: Bool
    public var isExecutable: Bool
    /// Whether the pages are to be there before the guest touches them.
    public var prefetch: Bool

    public init(
        range: MemoryRange, hostAddress: UInt, isWritable: Bool, isExecutable: Bool = true, prefetch: Bool = false
    ) {
        self.range = range
        self.hostAddress = hostAddress
        self.isWritable = isWritable
        self.isExecutable = isExecutable
        self.prefetch = prefetch
    }
}

/// What is about to change in a partition.
public struct PartitionChange: Hashable, Sendable {
    /// What will be unmapped, ascending and disjoint.
    public var unmapped: [MemoryRange]
    /// What will be mapped then, ascending and disjoint.
    public var mapped: [PartitionMapping]

    public init(unmapped: [MemoryRange], mapped: [PartitionMapping]) {
        self.unmapped = unmapped
        self.mapped = mapped
    }
}

/// Why a partition cannot do what it was asked.
public struct PartitionError: Error, CustomStringConvertible {
    /// What failed, on which range, and why.
    public let description: String
    /// What was underneath, for those who can use it.
    public let underlying: (any Error)?

    public init(_ description: String, underlying: (any Error)? = nil) {
        self.description = description
        self.underlying = underlying
    }
}
