import VMAddressSpace
import VMRegions

/// A planner whose regions, views and operations are written in page frames.
struct TestPlanner {
    var planner: RegionPlanner
    /// A shareable, writable file of 256 pages.
    let ram: BackingID
    /// A shareable file of 256 pages that is read-only.
    let rom: BackingID
    /// 256 pages without a file, each of which can be at one place alone.
    let anonymous: BackingID

    init(_ policy: OverlapPolicy = .layered, addressWidth: Int = 64) {
        planner = RegionPlanner(policy: policy, addressWidth: addressWidth)
        ram = planner.addBacking(BackingDescription(name: "ram", byteCount: bytes(256)))
        rom = planner.addBacking(BackingDescription(name: "rom", byteCount: bytes(256), isWritable: false))
        anonymous = planner.addBacking(
            BackingDescription(name: "anonymous", byteCount: bytes(256), isShareable: false))
    }

    /// Makes changes, and tells what is to be done.
    @discardableResult
    mutating func plan(_ changes: RegionChange...) throws(RegionError) -> [String] {
        describe(try planner.plan(changes))
    }

    /// Adds a region without mappings that is not mapped.
    mutating func add(_ name: String, _ frames: Range<UInt64>, priority: UInt8 = 0) throws(RegionError) -> RegionID {
        let id = planner.makeRegionID()
        try plan(.add(id, name: name, range: pages(frames), priority: priority))
        return id
    }

    /// Adds a region that is mapped and has pages of `ram`: those with the numbers of its frames, or from `page` on.
    mutating func addMapped(
        _ name: String, _ frames: Range<UInt64>, priority: UInt8 = 0, page: UInt64? = nil,
        _ parameters: MapParameters = MapParameters()
    ) throws(RegionError) -> RegionID {
        let id = try add(name, frames, priority: priority)
        let count = UInt64(frames.count)
        try plan(mapping(id, 0..<count, ram, page: page ?? frames.lowerBound), .map(id, parameters))
        return id
    }

    /// The change that puts pages of a backing, from `page` on, into those of a region.
    func mapping(
        _ id: RegionID, _ pages: Range<UInt64>, _ backing: BackingID, page: UInt64 = 0, writable: Bool = true
    ) -> RegionChange {
        .addMapping(
            id,
            RegionMapping(
                offset: bytes(pages.lowerBound), count: bytes(UInt64(pages.count)), backing: backing,
                backingOffset: bytes(page), isWritable: writable))
    }

    /// The change that takes pages out of a region.
    func removal(_ id: RegionID, _ pages: Range<UInt64>) -> RegionChange {
        .removeMappings(id, offset: bytes(pages.lowerBound), count: bytes(UInt64(pages.count)))
    }

    func describe(_ plan: RegionPlan) -> [String] {
        plan.operations.map { operation in
            switch operation {
            case .unmap(let range): "unmap \(range.frames)"
            case .map(let range, let memory): "map \(range.frames) \(describe(memory))"
            }
        }
    }

    /// Frames, the region's name, its backing, the page of that, and what the guest may.
    var view: [String] {
        planner.view.pieces.map { piece in
            let name = planner.region(piece.region)?.name ?? "nobody"
            return "\(piece.range.frames) \(name)" + (piece.memory.map { " " + describe($0) } ?? "")
        }
    }

    /// Pages, the backing, the page of that, and what the guest may.
    func mappings(of id: RegionID) -> [String] {
        (planner.region(id)?.mappings ?? []).map { mapping in
            let first = mapping.offset / bytes(1)
            let pages = first..<(first + mapping.count / bytes(1))
            let access = mapping.isWritable ? "rw" : "r-"
            return "\(pages) \(backing(mapping.backing, mapping.backingOffset)) \(access)"
        }
    }

    private func describe(_ memory: PieceMemory) -> String {
        let access =
            (memory.isWritable ? "w" : "-") + (memory.isExecutable ? "x" : "-") + (memory.prefetch ? " prefetch" : "")
        return "\(backing(memory.backing, memory.backingOffset)) r\(access)"
    }

    private func backing(_ id: BackingID, _ offset: UInt64) -> String {
        "\(planner.backing(id)?.name ?? "nothing")@\(offset / bytes(1))"
    }
}
