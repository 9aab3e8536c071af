import SystemPackage
import VMAddressSpace
import VMMemory

/// What failed while a change was made.
public struct ChangeFailure: Error, CustomStringConvertible {
    /// What was being done.
    public enum Operation: String, Hashable, Sendable {
        /// Taking memory out of the memory map, and waiting until nobody uses it any more.
        case withdraw
        /// Getting a partition ready.
        case prepare
        case unmap
        case map
        case protect
        /// Undoing what a step of a partition had done before it failed.
        case restore
        /// Publishing the new memory map.
        case publish
    }

    public let operation: Operation
    /// The guest-physical ranges it was about.
    public let ranges: [MemoryRange]
    /// Where: the host's memory, the memory map, or a partition.
    public let place: String
    /// Why.
    public let reason: any Error
    /// Whether part of the operation is made all the same.
    var isHalfDone = false

    public var description: String {
        let what = ranges.map(\.description).joined(separator: ", ")
        return "cannot \(operation.rawValue) \(what) in \(place): \(reason)"
    }
}

extension ChangeFailure {
    init(_ step: HostStep, _ failure: HostStepFailure) {
        self.init(
            operation: Operation(step), ranges: [step.piece.range], place: "the host's memory", reason: failure.error,
            isHalfDone: failure.isHalfDone)
    }
}

extension ChangeFailure.Operation {
    fileprivate init(_ step: HostStep) {
        switch step {
        case .unmap: self = .unmap
        case .map: self = .map
        case .protect: self = .protect
        }
    }
}

/// Memory is locked, by a device that was given its address, and was not unlocked in time.
public struct PagesLocked: Error, Hashable, CustomStringConvertible {
    public let range: MemoryRange
    /// How long it was waited for.
    public let timeout: Duration

    public var description: String { "its pages are locked, and were not unlocked within \(timeout)" }
}

/// Somebody reads a memory map that is to be replaced, and was not done in time.
public struct MapInUse: Error, Hashable, CustomStringConvertible {
    /// How long it was waited for.
    public let timeout: Duration

    public var description: String { "readers of an older memory map were not done within \(timeout)" }
}

/// Why a region manager did not do as it was asked.
public enum RegionManagerError: Error, CustomStringConvertible {
    /// The change makes no sense. Nothing has changed.
    case region(RegionError)
    /// A change is about a region of another manager. Nothing has changed.
    case foreignRegion(RegionID)
    /// The backing's pages can only be at one place, and are in another manager's regions.
    case backingInUseElsewhere(String)
    /// A range of memory map regions could not be built.
    case memoryMap(RegionMapError)
    /// An operation failed; what was done before it has been undone, and all is as it was.
    case failed(ChangeFailure)
    /// An operation failed, and so did undoing those before it. That is tried again, at least once a second, and before
    /// anything else is done. Until it succeeds, partitions may keep their processors out: the guest then stands still.
    case notRestored(ChangeFailure, restoring: ChangeFailure)
    /// A partition could not be shown the memory there is, and has none; or it was not taken away, and it has all.
    case partition(String, PartitionError)
    /// The host has no room for the guest's addresses.
    case addressSpace(bits: Int, HostMemoryError)
    /// The handlers that make faults of guest memory errors cannot be installed.
    case faultHandlers(Errno)
    /// A partition, or a listener of the memory map, asks for a change while it is told of one. Nothing has changed.
    case withinChange
    /// The regions are to stay as they are for now (`RegionHold`), such as during a migration. Nothing has changed.
    case held
    /// Contents of the memory have yet to come, by post-copy, so it cannot be copied.
    case arriving
    /// Where the contents of a backing are cannot be told, as the host has no room for another mapping.
    case contents(String, HostMemoryError)
    /// The manager is gone, and its regions with it.
    case managerGone

    public var description: String {
        switch self {
        case .region(let error): "\(error)"
        case .foreignRegion(let id): "the handle of region \(id) is another manager's"
        case .backingInUseElsewhere(let name):
            "the backing \"\(name)\" has memory in another guest, and its pages can only be at one place; "
                + "use a shared file, such as a memfd"
        case .memoryMap(let error): "\(error)"
        case .failed(let failure): "\(failure); everything is as it was before"
        case .notRestored(let failure, let restoring):
            "\(failure); and going back failed: \(restoring); "
                + "it is tried again every second, and the guest may stand still until it succeeds"
        case .partition(let name, let error): "the memory of partition \"\(name)\" stays as it was: \(error)"
        case .addressSpace(let bits, let error):
            "cannot reserve addresses for guest-physical memory of \(bits) bits: \(error)"
        case .faultHandlers(let errno): "\(GuestRAMError.faultHandlers(errno))"
        case .withinChange: "a change of regions cannot be made from within another"
        case .held:
            "memory cannot be changed while it is being copied; wait until the migration or the snapshot is done"
        case .arriving:
            "pages of the guest's memory are still to come from where it ran before; wait until post-copy is done"
        case .contents(let name, let error): "the contents of the backing \"\(name)\" cannot be reached: \(error)"
        case .managerGone: "the manager of this region is gone"
        }
    }
}
