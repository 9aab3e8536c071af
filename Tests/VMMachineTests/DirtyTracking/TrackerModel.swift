import KVM
import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking
import VMRegions

@testable import VMMachine

/// A tracked guest, and sets of pages that say what there is to report. Of its operations, some fail. Each stops the test
/// where what comes of it is not what the sets say.
final class TrackerModel {
    private typealias Page = TrackedGuest.Page

    /// Beyond all memory that there ever is.
    private static let end: UInt64 = 400

    let guest: TrackedGuest
    private let hasRings: Bool
    private let comment: @Sendable () -> Comment
    private var random: SeededGenerator
    /// Written, and not reported since.
    private var dirty: Set<Page> = []
    /// What may be reported as well, since a ring has run over.
    private var possible: Set<Page> = []
    /// What is in the round, wherever that is by now.
    private var inRound: Set<Page> = []
    private var round = DirtyRound()
    private(set) var failureCount = 0
    private(set) var reportedCount = 0

    init(hasRings: Bool, seed: UInt64) throws {
        guest = try TrackedGuest(hasRings: hasRings)
        try guest.add(100..<130, priority: 5, isMapped: false)
        try guest.add(340..<345, priority: 6)
        self.hasRings = hasRings
        random = SeededGenerator(seed: seed)
        comment = { "seed \(seed), \(hasRings ? "with" : "without") rings" }
    }

    func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40: write()
        case 40..<52: writeAsMonitor()
        case 52..<70: try harvest()
        case 70..<75: putBack()
        case 75..<86: try change()
        case 86..<93: try startOrStop()
        default: if hasRings { drainOrOverrun() }
        }
        try #require(guest.vm.complaints == [] && !guest.vm.isQuiesced, comment())
    }

    // MARK: Writes

    private func write() {
        let start = UInt64.random(in: 0..<Self.end, using: &random)
        let vcpu = Int.random(in: 0..<2, using: &random)
        for frame in start..<start + .random(in: 1...6, using: &random) {
            guest.write([frame], vcpu: vcpu)
            guard guest.tracker.method != nil, let page = guest.page(at: frame) else { continue }
            if guest.regions[page.region].isWritable { dirty.insert(page) }
        }
    }

    private func writeAsMonitor() {
        let frame = UInt64.random(in: 0..<Self.end, using: &random)
        // Not to ROM, nor to nothing.
        let address = GuestAddress(frame << 12 + .random(in: 0..<4096, using: &random))
        guard (try? guest.manager.memory.store(7 as UInt8, at: address)) != nil else { return }
        if let page = guest.page(at: frame) { dirty.insert(page) }
    }

    private func drainOrOverrun() {
        let vcpu = Int.random(in: 0..<2, using: &random)
        if guest.tracker.method != nil, Int.random(in: 0..<8, using: &random) == 0 {
            guest.vm.overrunRing(of: vcpu)
        } else {
            try? guest.partition.drainDirtyRing(of: vcpu)
        }
        noteLosses()
    }

    /// From when a ring has run over until its log has begun anew, any page may be reported.
    private func noteLosses() { noteLosses(of: guest.regions) }

    private func noteLosses(of regions: [TrackedGuest.Region]) {
        if guest.vm.state.withLock({ $0.hasLostPages || !$0.overrun.isEmpty }) {
            possible.formUnion(TrackedGuest.visible(regions).values)
        }
    }

    // MARK: Harvests

    private func harvest() throws {
        let low = UInt64.random(in: 0..<Self.end, using: &random)
        let wanted = Bool.random(using: &random) ? nil : low..<UInt64.random(in: low + 1...Self.end, using: &random)
        noteLosses()
        let hasFailed = try failing { () throws(DirtyTrackingError) in
            try guest.tracker.harvest(wanted.map(pages), into: &round)
        }
        inRound = []
        let frames = round.frames()
        let count = round.pageCount
        guard !hasFailed, guest.tracker.method != nil else {
            try #require(frames.isEmpty, comment())
            return
        }
        let visible = guest.visible
        let asked = Set((wanted ?? 0..<Self.end).compactMap { visible[$0] })
        inRound = Set(frames.compactMap { visible[$0] })
        try #require(count == UInt64(frames.count) && inRound.count == frames.count, comment())
        let lost = dirty.intersection(asked).subtracting(inRound)
        let invented = inRound.subtracting(dirty).subtracting(possible)
        try #require(lost.isEmpty, comment())
        try #require(invented.isEmpty, comment())
        try #require(inRound.isSubset(of: asked), comment())
        dirty.subtract(inRound)
        possible.subtract(inRound)
        reportedCount += inRound.count
    }

    private func putBack() {
        round.putBack()
        dirty.formUnion(inRound)
        inRound = []
    }

    // MARK: Changes

    private func change() throws {
        let index = Int.random(in: 0..<guest.regions.count, using: &random)
        let isMove = Bool.random(using: &random)
        let start = UInt64.random(in: 0..<Self.end - guest.regions[index].count, using: &random)
        var changed = guest.regions
        if isMove { changed[index].start = start } else { changed[index].isMapped.toggle() }
        noteLosses()
        // If it fails halfway, a ring that has run over is found when all was as it was to be.
        noteLosses(of: changed)
        for harvesting in guest.harvesting where Int.random(in: 0..<3, using: &random) == 0 {
            let isSwitching = Int.random(in: 0..<3, using: &random) == 0
            let step = Int.random(in: 0..<4, using: &random)
            harvesting.harvest(guest.tracker, switching: isSwitching ? (step, someMethod()) : nil)
        }
        let startCount = guest.harvesting.reduce(0) { $0 + $1.startCount }
        let visible = Set(guest.visible.values)
        defer { for harvesting in guest.harvesting { harvesting.harvest(nil) } }
        _ = try failing { () throws(RegionManagerError) in
            if let error = guest.change(index, { $0 = changed[index] }) { throw error }
        }
        try #require(Set(guest.vm.slots.flatMap { Array($0.range.frames) }) == Set(guest.visible.keys), comment())
        if guest.harvesting.reduce(0, { $0 + $1.startCount }) > startCount {
            // Of what was seen at that moment, nothing was written since.
            let forgotten = dirty.intersection(visible.union(TrackedGuest.visible(changed).values))
            dirty.subtract(forgotten)
            possible.formUnion(forgotten)
        }
        // A log that could not be switched on again, after pages were lost, is so with the next harvest.
        guard !guest.vm.hasLostDirtyPages else { return }
        let isLogging = guest.tracker.method != nil
        try #require(guest.vm.slots.allSatisfy { $0 == $0.loggingDirtyPages(isLogging) }, comment())
    }

    private func startOrStop() throws {
        if guest.tracker.method != nil {
            let hasFailed = try failing { () throws(DirtyTrackingError) in try guest.tracker.stop() }
            try #require((guest.tracker.method != nil) == hasFailed, comment())
            noteLosses()
            return
        }
        let method = someMethod()
        let baseline: DirtyBaseline = Bool.random(using: &random) ? .clean : .dirty
        let hasFailed = try failing { () throws(DirtyTrackingError) in
            try guest.tracker.start(method, from: baseline)
        }
        try #require(guest.tracker.method == (hasFailed ? nil : method), comment())
        guard !hasFailed else { return }
        switch baseline {
        case .clean:
            dirty.subtract(guest.visible.values)
            possible.subtract(guest.visible.values)
        case .dirty: dirty.formUnion(guest.visible.values)
        }
    }

    private func someMethod() -> DirtyTrackingMethod {
        hasRings ? .ring : Bool.random(using: &random) ? .log : .manual
    }

    /// Now and then has one call of the kernel fail.
    /// - Returns: whether there was an error: there is one if and only if a call has failed, or nothing is tracked.
    private func failing<Failure: Error>(_ body: () throws(Failure) -> Void) throws -> Bool {
        let isFailing = Bool.random(using: &random)
        let call = Int.random(in: 0..<6, using: &random)
        guest.vm.fail(isFailing ? call..<call + 1 : 0..<0)
        let harvestFailures = guest.harvesting.reduce(0) { $0 + $1.failureCount }
        var error: Failure?
        do throws(Failure) { try body() } catch let failure { error = failure }
        let isReached = isFailing && guest.vm.state.withLock { $0.calls > call }
        guest.vm.fail(0..<0)
        if case .notTracking? = error as? DirtyTrackingError { return true }
        let text = error.map { "\($0)" } ?? "no error"
        let hasHarvestFailed = guest.harvesting.reduce(0) { $0 + $1.failureCount } > harvestFailures
        try #require((error != nil || hasHarvestFailed) == isReached, "\(comment()): \(text)")
        if isReached { failureCount += 1 }
        return error != nil
    }
}
