import KVM
import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking
import VMMemory
import VMRegions

@testable import VMMachine

/// A manager with regions, a fake of the kernel, and a tracker of both.
final class TrackedGuest {
    /// A page of a region's memory, wherever the region is.
    struct Page: Hashable {
        let region: Int
        let index: UInt64
    }

    struct Region {
        let handle: RegionHandle
        let count: UInt64
        /// Of the regions at an address, the one with the highest is seen. No two have the same.
        let priority: UInt8
        let isWritable: Bool
        var start: UInt64
        var isMapped: Bool

        var frames: Range<UInt64> { start..<start + count }
        var parameters: MapParameters { MapParameters(isWritable: isWritable) }
    }

    let vm = FakeVM()
    let manager: RegionManager
    let partition: KVMPartition
    let tracker: DirtyTracker
    /// One that is told of changes before the partition, and one that is after it.
    let harvesting = [HarvestingPartition(), HarvestingPartition()]
    private(set) var regions: [Region] = []

    /// Two of RAM, and a ROM over one of them.
    init(hasRings: Bool) throws {
        vm.state.withLock { $0.hasRings = hasRings }
        let manager = try RegionManager(addressWidth: 32)
        let partition = vm.partition(sink: manager.dirtyLog)
        let harvesting = harvesting
        try manager.withTurn { manager throws(RegionManagerError) in
            try manager.addPartition(harvesting[0])
            try manager.addPartition(partition)
            try manager.addPartition(harvesting[1])
        }
        self.manager = manager
        self.partition = partition
        tracker = DirtyTracker(
            partition, manager.dirtyLog, hasRings ? .rings : .bitmaps(preferred: nil))
        try add(0..<200, priority: 0)
        try add(260..<331, priority: 1)
        try add(70..<80, priority: 9, isWritable: false)
    }

    func add(
        _ frames: Range<UInt64>, priority: UInt8, isWritable: Bool = true, isMapped: Bool = true
    ) throws {
        let name = "\(regions.count)"
        let backing = try RegionBacking(memfd: name, byteCount: UInt64(frames.count) << 12)
        let parameters = MapParameters(isWritable: isWritable)
        let definition = RegionDefinition(
            name, pages(frames), priority: priority,
            memory: [.init(count: backing.byteCount, of: backing, isWritable: isWritable)],
            parameters: isMapped ? parameters : nil)
        let handle = try manager.withTurn { manager throws(RegionManagerError) in
            try manager.addRegions([definition])[0]
        }
        regions.append(
            Region(
                handle: handle, count: UInt64(frames.count), priority: priority, isWritable: isWritable,
                start: frames.lowerBound, isMapped: isMapped))
    }

    /// Changes a region.
    /// - Returns: why it was not changed.
    func change(_ index: Int, _ body: (inout Region) -> Void) -> RegionManagerError? {
        var region = regions[index]
        body(&region)
        var update = RegionUpdate()
        if region.start != regions[index].start { update.move(region.handle, to: GuestAddress(region.start << 12)) }
        if region.isMapped { update.map(region.handle, region.parameters) } else { update.unmap(region.handle) }
        do throws(RegionManagerError) {
            try manager.withTurn { [update] manager throws(RegionManagerError) in try manager.apply(update) }
        } catch {
            return error
        }
        regions[index] = region
        return nil
    }

    // MARK: What is seen

    /// The frames with memory, and what is there.
    var visible: [UInt64: Page] { Self.visible(regions) }

    static func visible(_ regions: [Region]) -> [UInt64: Page] {
        var visible: [UInt64: Page] = [:]
        for (number, region) in regions.enumerated().sorted(by: { $0.element.priority < $1.element.priority })
        where region.isMapped {
            for frame in region.frames { visible[frame] = Page(region: number, index: frame - region.start) }
        }
        return visible
    }

    /// What is at a frame; nil where there is nothing.
    func page(at frame: UInt64) -> Page? {
        let seen = regions.indices.filter { regions[$0].isMapped && regions[$0].frames.contains(frame) }
        return seen.max { regions[$0].priority < regions[$1].priority }.map {
            Page(region: $0, index: frame - regions[$0].start)
        }
    }

    var ramFrames: Set<UInt64> { Set(visible.filter { regions[$0.value.region].isWritable }.keys) }

    // MARK: What is written and reported

    /// What a guest's writes do.
    func write(_ frames: Set<UInt64>, vcpu: Int = 0) {
        for frame in frames { vm.write(page: frame, vcpu: vcpu) }
    }

    /// Whether the bitmap of the region at a frame has it.
    func isMarked(_ frame: UInt64) -> Bool {
        manager.memory.regionMap.regions.contains { region in
            region.range.frames.contains(frame)
                && region.isDirty(at: (frame - region.range.frames.lowerBound) << 12)
        }
    }

    func harvest(_ range: Range<UInt64>? = nil) throws(DirtyTrackingError) -> Set<UInt64> {
        var round = DirtyRound()
        try tracker.harvest(range.map(pages), into: &round)
        return round.frames()
    }

    /// That nothing has happened that must not happen to a guest that runs, which it does.
    func expectRunning(_ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(vm.complaints == [], comment, sourceLocation: sourceLocation)
        #expect(!vm.isQuiesced, comment, sourceLocation: sourceLocation)
    }
}

extension DirtyRound {
    borrowing func frames() -> Set<UInt64> {
        var frames: Set<UInt64> = []
        forEachRun { frames.formUnion($0.frames) }
        return frames
    }
}

/// A way to track.
struct Tracking: CustomTestStringConvertible, Sendable {
    let method: DirtyTrackingMethod
    let baseline: DirtyBaseline

    var testDescription: String { "\(method.rawValue) from \(baseline)" }
    var hasRings: Bool { method == .ring }

    static let all = DirtyTrackingMethod.allCases.flatMap {
        [Tracking(method: $0, baseline: .clean), Tracking(method: $0, baseline: .dirty)]
    }
}
