import SystemPackage
import VMAddressSpace
import VMMemory

/// What a region manager begins with: regions that are on the host and in the first memory map.
///
/// Nobody uses any of it yet. So there is no map to replace, and nobody to wait for; and what fails leaves nothing behind.
struct FirstRegions: ~Copyable {
    let space: GuestSpace
    let addressWidth: Int
    let planning: RegionManager.PlanningState
    let counters: RegionCounters
    /// What the guest sees: all of it comes.
    private let pieces: [BackedPiece]

    /// - Throws: `faultHandlers`, `addressSpace`, `backingInUseElsewhere`, `region`, `memoryMap`, `failed`.
    init(
        _ definitions: [RegionDefinition], addressWidth: Int, policy: OverlapPolicy,
        beforeHostStep: GuestReservation.StepObserver? = nil
    ) throws(RegionManagerError) {
        let host = try GuestReservation(forManagerWith: addressWidth, beforeHostStep)
        // A planner takes as many as there can be.
        let addressWidth = RegionPlanner.clamped(addressWidth: addressWidth)
        let planning = try RegionManager.PlanningState(definitions, addressWidth, policy, in: host)
        let pieces = planning.pieces
        let map: RegionMap
        do throws(RegionMapError) {
            map = try RegionMap(try host.regions(pieces))
        } catch {
            throw .memoryMap(error)
        }
        try host.mapAll(pieces)
        var counters = RegionCounters()
        if !pieces.isEmpty { counters.countChange(unmaps: 0, maps: pieces.count, hostOperations: pieces.count) }
        space = GuestSpace(host, map)
        self.addressWidth = addressWidth
        self.planning = planning
        self.counters = counters
        self.pieces = pieces
    }

    /// Shows them to a partition, which has no memory.
    /// - Throws: `partition`. Nothing is left then on the host either.
    func show(to partition: any Partition) throws(RegionManagerError) {
        do throws(PartitionError) {
            try partition.mapAll(pieces.mapFew { space.host.partitionMapping($0) })
        } catch {
            space.host.takeBackAll(pieces)
            throw .partition(partition.name, error)
        }
    }

    /// Provides the pages that are to be there before the guest touches them.
    func prefetch() {
        for piece in pieces where piece.memory.prefetch { space.host.prefetch(piece) }
    }
}

extension GuestReservation {
    fileprivate convenience init(
        forManagerWith addressWidth: Int, _ beforeStep: StepObserver?
    ) throws(RegionManagerError) {
        do throws(Errno) {
            try GuestMemory.installFaultHandlersOnce()
        } catch {
            throw .faultHandlers(error)
        }
        do throws(HostMemoryError) {
            try self.init(addressWidth: addressWidth, beforeStep: beforeStep)
        } catch {
            throw .addressSpace(bits: addressWidth, error)
        }
    }

    fileprivate func mapAll(_ pieces: [BackedPiece]) throws(RegionManagerError) {
        for (index, piece) in pieces.enumerated() {
            do throws(HostStepFailure) {
                try perform(.map(piece), waitingUpTo: .zero)
            } catch {
                takeBackAll(pieces[..<(error.isHalfDone ? index + 1 : index)])
                throw .failed(ChangeFailure(.map(piece), error))
            }
        }
    }

    /// Pages that can only be at one place go back to where they were. What cannot go back is lost with the reservation.
    fileprivate func takeBackAll(_ pieces: some BidirectionalCollection<BackedPiece>) {
        for piece in pieces.reversed() { try? takeBack(.map(piece), waitingUpTo: .zero) }
    }
}
