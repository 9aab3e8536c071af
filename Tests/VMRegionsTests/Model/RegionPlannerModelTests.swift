import TestSupport
import Testing
import VMAddressSpace

@testable import VMRegions

@Suite("A planner against a list of pages")
struct RegionPlannerModelTests {
    private static let seeds = Array(0..<9 as Range<UInt64>) + [UInt64.random(in: 9...(.max))]
    /// For each seed and policy.
    private static let changeCount = 10_000

    @Test(
        "Whatever is planned, undone or refused, the guest sees what it should, with the fewest operations",
        arguments: OverlapPolicy.allCases, seeds)
    func model(_ policy: OverlapPolicy, _ seed: UInt64) throws {
        var trial = PlannerTrial(policy: policy, seed: seed)
        while trial.changeCount < Self.changeCount {
            if let complaint = trial.step() {
                Issue.record("seed \(seed), after \(trial.changeCount) changes: \(complaint)")
                return
            }
        }
        // A trial in which hardly anything happens tests nothing.
        #expect(trial.madeCount > Self.changeCount / 3, "seed \(seed)")
        #expect(trial.operationCount > Self.changeCount / 5, "seed \(seed)")
        #expect(trial.refusals.isSuperset(of: PlannerTrial.expectedRefusals(policy)), "seed \(seed)")
    }
}

/// A planner and what it should be.
private struct PlannerTrial {
    var planner: RegionPlanner
    var model: PageModel
    var random: RandomChanges
    /// Changes that were asked for, and of them those that were made.
    var changeCount = 0
    var madeCount = 0
    var operationCount = 0
    var refusals: Set<Refusal> = []
    private var pages: PageMap

    init(policy: OverlapPolicy, seed: UInt64) {
        let isAtTheEnd = seed.isMultiple(of: 2)
        var planner = RegionPlanner(policy: policy, addressWidth: isAtTheEnd ? 64 : 18)
        let descriptions = [
            BackingDescription(name: "file", byteCount: 80 * 4096),
            BackingDescription(name: "small file", byteCount: 20 * 4096 + 100),
            BackingDescription(name: "read-only file", byteCount: 64 * 4096, isWritable: false),
            BackingDescription(name: "pages", byteCount: 72 * 4096, isShareable: false),
            BackingDescription(name: "read-only pages", byteCount: 64 * 4096, isWritable: false, isShareable: false),
        ]
        let backings = descriptions.map { PageModel.Backing(id: planner.addBacking($0), description: $0) }
        let firstFrame = isAtTheEnd ? GuestAddress.frameCount - UInt64(PageModel.pageCount) : 0
        model = PageModel(policy: policy, firstFrame: firstFrame, backings: backings)
        self.planner = planner
        pages = PageMap(model)
        random = RandomChanges(seed: seed)
    }

    static func expectedRefusals(_ policy: OverlapPolicy) -> Set<Refusal> {
        let all: Set<Refusal> = [
            .noSuchRegion, .numberInUse, .noSuchBacking, .badRange, .misalignedMapping, .outsideRegion, .beyondBacking,
            .readOnlyBacking, .mappedTwice,
        ]
        return policy == .nested ? all.union([.overlap]) : all
    }

    /// Plans a change or several at once, and once in a while takes the plan back.
    /// - Returns: a complaint.
    mutating func step() -> String? {
        var after = model
        var expected: Set<Refusal> = []
        var changes: [RegionChange] = []
        let count = random.isOnce(in: 4) ? random.number(2..<8) : 1
        while changes.count < count, expected.isEmpty {
            let change = random.next(after, newID: planner.makeRegionID())
            changes.append(change)
            expected = after.apply(change)
        }
        changeCount += changes.count
        let state = expected.isEmpty && !random.isOnce(in: 4) ? nil : PlannerState(planner)
        let view = planner.view.pieces
        do throws(RegionError) {
            let plan = try planner.plan(changes)
            guard expected.isEmpty else { return "\(changes) should be refused: \(expected)" }
            let pages = PageMap(after)
            if let complaint = check(plan, after, pages, from: view) { return "\(changes): \(complaint)" }
            if let state {
                if let complaint = undo(plan, of: changes, to: state) { return complaint }
                if random.isOnce(in: 2) { return nil }
                if let complaint = try redo(plan, changes) { return complaint }
            }
            (model, self.pages) = (after, pages)
            madeCount += 1
            return nil
        } catch {
            refusals.insert(Refusal(error))
            if !expected.contains(Refusal(error)) { return "\(changes) should give \(expected): \(error)" }
            return PlannerState(planner) == state ? nil : "\(changes): refused, and something has changed"
        }
    }

    private mutating func undo(_ plan: RegionPlan, of changes: [RegionChange], to state: PlannerState) -> String? {
        planner.undo(plan)
        return PlannerState(planner) == state ? nil : "\(changes): undone, and something is not as it was"
    }

    private mutating func redo(_ plan: RegionPlan, _ changes: [RegionChange]) throws(RegionError) -> String? {
        let again = try planner.plan(changes)
        return again.operations == plan.operations ? nil : "\(changes): another plan the second time"
    }

    // MARK: Checks

    private mutating func check(
        _ plan: RegionPlan, _ after: PageModel, _ expected: PageMap, from view: [ViewPiece]
    ) -> String? {
        operationCount += plan.operations.count
        let pieces = planner.view.pieces
        guard let seen = PageMap(pieces, firstFrame: model.firstFrame) else { return "the view is no view: \(pieces)" }
        if seen != expected { return "the guest sees something else: \(pieces)" }
        var applied = pages
        if let complaint = applied.apply(plan.operations, firstFrame: model.firstFrame) { return complaint }
        if applied.memory != expected.memory { return "the operations lead elsewhere: \(plan.operations)" }
        if !leads(plan, from: view, to: pieces) { return "\(plan.removed) and \(plan.added) lead elsewhere" }
        return random.isOnce(in: 4) ? checkRegions(after) : nil
    }

    /// Whether the pieces that go were there, those that come were not, and both are in order.
    private func leads(_ plan: RegionPlan, from old: [ViewPiece], to new: [ViewPiece]) -> Bool {
        var pieces = old
        for piece in plan.removed {
            guard let index = pieces.firstIndex(of: piece) else { return false }
            pieces.remove(at: index)
        }
        for piece in plan.added {
            if old.contains(piece) { return false }
            pieces.insert(piece, at: pieces.firstIndex { piece.range < $0.range } ?? pieces.count)
        }
        return pieces == new && areInOrder(plan.removed.map(\.range)) && areInOrder(plan.added.map(\.range))
    }

    private func areInOrder(_ ranges: [MemoryRange]) -> Bool {
        zip(ranges, ranges.dropFirst()).allSatisfy { $0.last < $1.start }
    }

    private func checkRegions(_ after: PageModel) -> String? {
        let regions = planner.regions
        let order = zip(regions, regions.dropFirst()).allSatisfy { ($0.range.start, $0.id) < ($1.range.start, $1.id) }
        if !order || regions.count != after.regions.count { return "other regions: \(regions)" }
        for expected in after.regions {
            guard let region = planner.region(expected.id) else { return "region \(expected.id) is gone" }
            if !agree(region, expected, after) { return "\(region) instead of \(expected)" }
        }
        for backing in after.backings {
            let users = after.regions.filter { $0.pages.contains { $0?.backing == backing.id } }.map(\.id)
            if planner.user(of: backing.id)?.id != users.min() || planner.backings.isUsed(backing.id) == users.isEmpty {
                return "other users of \(backing): \(users)"
            }
            if planner.unusedBackings.contains(backing.id) != users.isEmpty { return "\(backing) is used by \(users)" }
        }
        return checkUses(after)
    }

    private func agree(_ region: Region, _ expected: PageModel.Region, _ after: PageModel) -> Bool {
        var pages = [PageModel.Page?](repeating: nil, count: expected.pages.count)
        for mapping in region.mappings {
            for page in 0..<Int(mapping.count / 4096) {
                pages[Int(mapping.offset / 4096) + page] = PageModel.Page(
                    backing: mapping.backing, number: Int(mapping.backingOffset / 4096) + page,
                    isWritable: mapping.isWritable)
            }
        }
        let areJoined = zip(region.mappings, region.mappings.dropFirst()).allSatisfy { mapping, next in
            let end = mapping.offset + mapping.count
            let goesOn =
                end == next.offset && mapping.backing == next.backing && mapping.isWritable == next.isWritable
                && mapping.backingOffset + mapping.count == next.backingOffset
            return end <= next.offset && !goesOn
        }
        return areJoined && pages == expected.pages && region.priority == expected.priority
            && region.parameters == expected.parameters
            && region.range.start.frame == after.firstFrame + UInt64(expected.start)
            && region.range.pageCount == UInt64(expected.pages.count)
    }

    /// Whether the planner knows where the pages are that can be at one place alone, and forgets those that are nowhere.
    private func checkUses(_ after: PageModel) -> String? {
        for backing in after.backings {
            var known: Set<[UInt64]> = []
            planner.backings.forEachUse(of: backing.id, 0, .max) { use in
                known.insert([use.first, use.last, use.region.rawValue, use.offset])
            }
            var mapped: Set<[UInt64]> = []
            for region in planner.regions where !backing.description.isShareable {
                for mapping in region.mappings where mapping.backing == backing.id {
                    let last = mapping.backingOffset + mapping.count - 1
                    mapped.insert([mapping.backingOffset, last, region.id.rawValue, mapping.offset])
                }
            }
            if known != mapped { return "the pages of \(backing) are elsewhere: \(known) instead of \(mapped)" }
        }
        return nil
    }
}
