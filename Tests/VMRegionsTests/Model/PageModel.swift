import VMAddressSpace
import VMRegions

/// What a planner should do, as its definition says and no faster: regions as lists of pages.
///
/// A window of 64 pages at the end of what can be addressed is all there is.
struct PageModel {
    static let pageCount = 64

    /// A page of a backing.
    struct Page: Hashable {
        var backing: BackingID
        var number: Int
        var isWritable: Bool
    }

    struct Region: Equatable {
        let id: RegionID
        /// The number of its first page in the window.
        var start: Int
        let priority: UInt8
        var parameters: MapParameters?
        /// What is in each of its pages.
        var pages: [Page?]

        var window: Range<Int> { start..<(start + pages.count) }
    }

    struct Backing {
        let id: BackingID
        let description: BackingDescription

        var pageCount: Int { Int(description.byteCount / 4096) }
    }

    let policy: OverlapPolicy
    /// The frame of the window's first page.
    let firstFrame: UInt64
    let backings: [Backing]
    /// By number.
    private(set) var regions: [Region] = []
    /// The numbers that a region has, or had.
    private var spentNumbers: Set<RegionID> = []

    init(policy: OverlapPolicy, firstFrame: UInt64, backings: [Backing]) {
        self.policy = policy
        self.firstFrame = firstFrame
        self.backings = backings
    }

    func region(_ id: RegionID) -> Region? { regions.first { $0.id == id } }

    /// Makes a change.
    /// - Returns: why it cannot be made; nothing has changed then. A planner may name any of several reasons.
    mutating func apply(_ change: RegionChange) -> Set<Refusal> {
        if case .add(let id, _, let range, let priority, let mappings, let parameters) = change {
            let start = Int(range.start.frame - firstFrame)
            let region = Region(
                id: id, start: start, priority: priority, pages: Array(repeating: nil, count: range.frames.count))
            let refusals = refusals(of: region).union(spentNumbers.contains(id) ? [.numberInUse] : [])
            guard refusals.isEmpty else { return refusals }
            let before = self
            regions.append(region)
            spentNumbers.insert(id)
            for mapping in mappings {
                let refusals = apply(.addMapping(id, mapping))
                guard refusals.isEmpty else {
                    self = before
                    return refusals
                }
            }
            return parameters.map { apply(.map(id, $0)) } ?? []
        }
        guard let index = regions.firstIndex(where: { $0.id == change.region }) else { return [.noSuchRegion] }
        if case .remove = change {
            regions.remove(at: index)
            return []
        }
        let refusals = refusals(of: change, at: index)
        guard refusals.isEmpty else { return refusals }
        let changed = regions[index].changed(by: change, firstFrame: firstFrame)
        var after = self.refusals(of: changed)
        // Nothing else brings pages.
        if case .addMapping = change, hasPageTwice(with: changed) { after.insert(.mappedTwice) }
        if after.isEmpty { regions[index] = changed }
        return after
    }

    // MARK: What is refused

    /// Why numbers make no change of the region at an index.
    private func refusals(of change: RegionChange, at index: Int) -> Set<Refusal> {
        let region = regions[index]
        switch change {
        case .addMapping(_, let mapping):
            var refusals = region.refusals(mapping.offset, mapping.count)
            guard let backing = backings.first(where: { $0.id == mapping.backing }) else {
                return refusals.union([.noSuchBacking])
            }
            if mapping.backingOffset % 4096 != 0 { refusals.insert(.misalignedMapping) }
            if mapping.backingOffset / 4096 + mapping.count / 4096 > UInt64(backing.pageCount) {
                refusals.insert(.beyondBacking)
            }
            if mapping.isWritable, !backing.description.isWritable { refusals.insert(.readOnlyBacking) }
            return refusals
        case .removeMappings(_, let offset, let count): return region.refusals(offset, count)
        case .move(_, let address): return address.rawValue % 4096 == 0 ? [] : [.badRange]
        case .resize(_, let count): return count > 0 && count % 4096 == 0 ? [] : [.badRange]
        case .add, .remove, .map, .unmap: return []
        }
    }

    /// Why a region cannot be as it would be.
    private func refusals(of region: Region) -> Set<Refusal> {
        var refusals: Set<Refusal> = []
        if region.window.upperBound > Self.pageCount { refusals.formUnion([.beyondAddressWidth, .badRange]) }
        if policy == .nested, regions.contains(where: { $0.id != region.id && !nest($0, region) }) {
            refusals.insert(.overlap)
        }
        return refusals
    }

    private func nest(_ one: Region, _ other: Region) -> Bool {
        if !one.window.overlaps(other.window) || one.window == other.window { return true }
        guard one.priority != other.priority else { return false }
        let (upper, lower) = one.priority > other.priority ? (one, other) : (other, one)
        return upper.window.contains(lower.window)
    }

    /// Whether a page of a backing would be at two places which can be at one alone.
    private func hasPageTwice(with changed: Region) -> Bool {
        backings.contains { backing in
            guard !backing.description.isShareable else { return false }
            var isSeen = Array(repeating: false, count: backing.pageCount)
            func see(_ region: Region) -> Bool {
                for case .some(let page) in region.pages where page.backing == backing.id {
                    if isSeen[page.number] { return true }
                    isSeen[page.number] = true
                }
                return false
            }
            return see(changed) || regions.contains { $0.id != changed.id && see($0) }
        }
    }
}

extension PageModel.Region {
    fileprivate func refusals(_ offset: UInt64, _ count: UInt64) -> Set<Refusal> {
        var refusals: Set<Refusal> = []
        if count == 0 || offset % 4096 != 0 || count % 4096 != 0 { refusals.insert(.misalignedMapping) }
        if offset / 4096 + count / 4096 > UInt64(pages.count) { refusals.insert(.outsideRegion) }
        return refusals
    }

    /// Only for changes whose numbers are right.
    fileprivate func changed(by change: RegionChange, firstFrame: UInt64) -> Self {
        var changed = self
        switch change {
        case .map(_, let parameters): changed.parameters = parameters
        case .unmap: changed.parameters = nil
        case .addMapping(_, let mapping):
            for page in 0..<Int(mapping.count / 4096) {
                changed.pages[Int(mapping.offset / 4096) + page] = PageModel.Page(
                    backing: mapping.backing, number: Int(mapping.backingOffset / 4096) + page,
                    isWritable: mapping.isWritable)
            }
        case .removeMappings(_, let offset, let count):
            for page in 0..<Int(count / 4096) { changed.pages[Int(offset / 4096) + page] = nil }
        case .move(_, let address):
            changed.start = Int(address.frame - firstFrame)
        case .resize(_, let count):
            let length = Int(count / 4096)
            changed.pages = Array(pages.prefix(length)) + Array(repeating: nil, count: max(0, length - pages.count))
        case .add, .remove: break
        }
        return changed
    }
}
