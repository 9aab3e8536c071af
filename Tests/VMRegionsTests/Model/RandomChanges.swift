import TestSupport
import VMAddressSpace
import VMRegions

/// Makes up changes, most of which can be made.
struct RandomChanges {
    var numbers: SeededGenerator
    private static let mostRegions = 12

    init(seed: UInt64) {
        numbers = SeededGenerator(seed: seed)
    }

    mutating func isOnce(in count: Int) -> Bool { number(0..<count) == 0 }

    mutating func number(_ range: Range<Int>) -> Int { .random(in: range, using: &numbers) }

    /// - Parameter newID: for a new region.
    mutating func next(_ model: PageModel, newID: RegionID) -> RegionChange {
        let isCrowded = model.regions.count >= Self.mostRegions
        if model.regions.isEmpty || number(0..<100) < (isCrowded ? 1 : 12) { return add(model, newID) }
        let region = model.regions[number(0..<model.regions.count)]
        if isOnce(in: 200) { return .remove(RegionID(rawValue: 1 << 40)) }
        switch number(0..<100) {
        case 0..<(isCrowded ? 20 : 7): return .remove(region.id)
        case ..<36:
            return .map(region.id, parameters())
        case ..<46: return .unmap(region.id)
        case ..<76: return .addMapping(region.id, mapping(model, region))
        case ..<88: return removeMappings(region)
        case ..<96: return move(model, region)
        default: return .resize(region.id, count: spoiled(UInt64(number(0..<17)) * 4096))
        }
    }

    private mutating func parameters() -> MapParameters {
        MapParameters(isWritable: !isOnce(in: 4), isExecutable: !isOnce(in: 8), prefetch: isOnce(in: 6))
    }

    // MARK: Places

    private mutating func add(_ model: PageModel, _ id: RegionID) -> RegionChange {
        // The number of a region that is there, once in a while.
        let id = isOnce(in: 50) ? model.regions.first?.id ?? id : id
        let (start, count) = place(model)
        let frames = (model.firstFrame + UInt64(start))..<(model.firstFrame + UInt64(start + count))
        let priority = isOnce(in: 8) ? number(0..<5) : count.trailingZeroBitCount
        guard isOnce(in: 3) else {
            return .add(id, name: "region \(id)", range: pages(frames), priority: UInt8(priority))
        }
        // Complete, as one that a machine begins with.
        let region = PageModel.Region(
            id: id, start: start, priority: UInt8(priority), pages: Array(repeating: nil, count: count))
        var mappings: [RegionMapping] = []
        for _ in 0..<number(0..<4) { mappings.append(mapping(model, region)) }
        return .add(
            id, name: "region \(id)", range: pages(frames), priority: UInt8(priority), mappings: mappings,
            parameters: isOnce(in: 4) ? nil : parameters())
    }

    /// Mostly blocks as of a buddy allocator, which nest.
    private mutating func place(_ model: PageModel) -> (start: Int, count: Int) {
        let count = 1 << number(0..<6)
        guard isOnce(in: model.policy == .nested ? 8 : 2) else {
            return (number(0..<(PageModel.pageCount / count)) * count, count)
        }
        let start = number(0..<PageModel.pageCount)
        // Past the end where there is an address beyond.
        let end = min(start + number(1..<20), PageModel.pageCount + (model.firstFrame == 0 ? 8 : 0))
        return (start, end - start)
    }

    private mutating func move(_ model: PageModel, _ region: PageModel.Region) -> RegionChange {
        let count = region.pages.count
        let start =
            isOnce(in: model.policy == .nested ? 8 : 2)
            ? number(0..<PageModel.pageCount) : number(0..<(PageModel.pageCount / count)) * count
        return .move(region.id, to: GuestAddress(spoiled((model.firstFrame + UInt64(start)) << 12)))
    }

    // MARK: Mappings

    private mutating func mapping(_ model: PageModel, _ region: PageModel.Region) -> RegionMapping {
        let (offset, count) = part(of: region)
        let backing = model.backings[number(0..<model.backings.count)]
        // Often the page with the number of the one that it is seen in, so that memory goes on from region to region.
        let page = isOnce(in: 3) ? number(0..<(backing.pageCount + 2)) : region.start + offset
        return RegionMapping(
            offset: spoiled(UInt64(offset) * 4096), count: spoiled(UInt64(count) * 4096),
            backing: isOnce(in: 100) ? BackingID(rawValue: 77) : backing.id,
            backingOffset: spoiled(UInt64(page) * 4096),
            isWritable: backing.description.isWritable ? !isOnce(in: 3) : isOnce(in: 20))
    }

    private mutating func removeMappings(_ region: PageModel.Region) -> RegionChange {
        let (offset, count) = part(of: region)
        return .removeMappings(region.id, offset: spoiled(UInt64(offset) * 4096), count: spoiled(UInt64(count) * 4096))
    }

    private mutating func part(of region: PageModel.Region) -> (offset: Int, count: Int) {
        let count = region.pages.count
        if isOnce(in: 5) { return (0, count) }
        let offset = number(0..<count)
        return (offset, number(1..<(count - offset + (isOnce(in: 20) ? 3 : 1))))
    }

    /// Once in a while no multiple of a page's size.
    private mutating func spoiled(_ bytes: UInt64) -> UInt64 {
        isOnce(in: 150) ? bytes + UInt64(number(1..<4096)) : bytes
    }
}
