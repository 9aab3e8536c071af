import SystemPackage
import TestSupport
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

/// A manager with partitions that are lists of pages, and a log of what it does. Regions are named in frames.
final class TestGuest {
    let log = StepLog()
    let manager: RegionManager
    let partitions: [FakePartition]
    /// Those whose contents are looked at.
    private(set) var backings: [RegionBacking] = []
    private var regions: [String: RegionHandle] = [:]
    private let listener: GuestMemoryAtomic<RegionMap>.Listener

    /// - Parameters:
    ///   - partitions: how many; they are called A, B and so on.
    ///   - retryDelay: after which the manager tries again by itself what failed; usually longer than a test takes.
    init(
        _ policy: OverlapPolicy = .layered, addressWidth: Int = 32, partitions count: Int = 1,
        retryingAfter retryDelay: Duration = .seconds(3600)
    ) throws {
        let log = log
        manager = try RegionManager(addressWidth: addressWidth, policy: policy) { (step) throws(HostMemoryError) in
            try log.note(step)
        }
        listener = manager.memory.map.addListener { map, _ in
            log.note("publish " + describe(Array(map.regions.lazy.map(\.range).merged())))
        }
        partitions = (0..<count).map { FakePartition(["A", "B", "C"][$0], log) }
        let reservation = manager.space.reservation
        for partition in partitions {
            partition.check { range in
                let bytes = range.start.rawValue..<range.endExclusive!.rawValue
                return reservation.table.withLock { $0.firstGap(in: bytes) == nil }
            }
        }
        let added = partitions
        try inTurn { manager throws(RegionManagerError) in
            for partition in added { try manager.addPartition(partition) }
            manager.lockTimeout = .milliseconds(1)
            manager.retries.firstDelay = retryDelay
        }
    }

    func inTurn<Result: Sendable>(
        _ body: @Sendable (isolated RegionManager) throws(RegionManagerError) -> Result
    ) throws(RegionManagerError) -> Result {
        try manager.withTurn(body)
    }

    // MARK: Regions

    /// A region that is not mapped and has no memory; it stays until `drop`.
    @discardableResult
    func add(_ name: String, _ frames: Range<UInt64>, priority: UInt8 = 0) throws -> RegionHandle {
        let range = pages(frames)
        let region = try inTurn { manager throws(RegionManagerError) in
            try manager.addRegion(name, range, priority: priority)
        }
        regions[name] = region
        return region
    }

    /// A region that is mapped, with pages of a backing from `page` on.
    @discardableResult
    func add(
        _ name: String, _ frames: Range<UInt64>, priority: UInt8 = 0, of backing: RegionBacking, page: UInt64 = 0,
        isWritable: Bool? = nil, _ parameters: MapParameters? = MapParameters()
    ) throws -> RegionHandle {
        let region = try add(name, frames, priority: priority)
        var update = RegionUpdate()
        update.addMapping(
            to: region, of: backing, backingOffset: bytes(page), count: bytes(UInt64(frames.count)),
            isWritable: isWritable)
        if let parameters { update.map(region, parameters) }
        try apply(update)
        return region
    }

    subscript(name: String) -> RegionHandle { regions[name]! }

    func drop(_ name: String) {
        regions[name] = nil
    }

    func apply(_ update: RegionUpdate) throws(RegionManagerError) {
        try inTurn { manager throws(RegionManagerError) in try manager.apply(update) }
    }

    /// Tries to make changes.
    /// - Returns: why they were not made; nil where they were.
    func failure(of update: RegionUpdate) -> RegionManagerError? {
        do throws(RegionManagerError) {
            try apply(update)
            return nil
        } catch {
            return error
        }
    }

    /// Tries to make one change.
    func failure(of change: (inout RegionUpdate) -> Void) -> RegionManagerError? {
        var update = RegionUpdate()
        change(&update)
        return failure(of: update)
    }

    /// Makes one change.
    func apply(_ change: (inout RegionUpdate) -> Void) throws(RegionManagerError) {
        var update = RegionUpdate()
        change(&update)
        try apply(update)
    }

    // MARK: Backings

    /// A backing each page of which has contents of its own, some of them written since the bitmap was cleared.
    func backing(_ kind: BackingKind, _ name: String, pages count: UInt64) throws -> RegionBacking {
        let backing = try kind.make(name, pages: count)
        try backing.fill(0..<(kind == .copyOnWrite ? count / 2 : count))
        for page in stride(from: 1, to: count, by: 3) { backing.bitmap.markDirty(page: page) }
        backings.append(backing)
        return backing
    }

    // MARK: Contents

    /// Writes the first and the last word of a page.
    func fill(_ frame: UInt64, with word: UInt64) throws(GuestMemoryError) {
        try manager.memory.store(word, at: GuestAddress(frame * 4096))
        try manager.memory.store(~word, at: GuestAddress(frame * 4096 + 4088))
    }

    /// The first word of a page, where the last one agrees.
    func contents(_ frame: UInt64) throws(GuestMemoryError) -> UInt64? {
        let first = try manager.memory.load(GuestAddress(frame * 4096), as: UInt64.self)
        let last = try manager.memory.load(GuestAddress(frame * 4096 + 4088), as: UInt64.self)
        return first == 0 && last == 0 || first == ~last ? first : nil
    }
}

extension StepLog {
    /// Notes a step on the host.
    /// - Throws: where it is to fail.
    func note(_ hostStep: HostStep) throws(HostMemoryError) {
        guard step("host \(hostStep.name) \(hostStep.piece.range.frames)") else { return }
        throw HostMemoryError(.map, nil, .system(.noMemory))
    }
}

extension RegionBacking {
    /// Writes pages as if a guest had done it that does not see them any more. Those of files have their contents already.
    func fill(_ pages: Range<UInt64>) throws {
        guard isWritable else { return }
        let mapping = isShareable ? try SparseMapping(byteCount: byteCount) : try parkingPlace()
        try mapping.map(offset: 0, count: bytes(UInt64(pages.count)), memory)
        for page in pages {
            let word = originalContents(of: name, page)
            (mapping.baseAddress + Int(page) * 4096).storeBytes(of: word, as: UInt64.self)
            (mapping.baseAddress + Int(page) * 4096 + 4088).storeBytes(of: ~word, as: UInt64.self)
        }
    }
}

/// What a page of a new backing has in it.
func originalContents(of name: String, _ page: UInt64) -> UInt64 {
    name.utf8.reduce(17) { $0 &* 31 &+ UInt64($1) } << 24 | page << 1 | 1
}

extension HostStep {
    var name: String {
        switch self {
        case .unmap: "unmap"
        case .map: "map"
        case .protect: "protect"
        }
    }
}
