import TestSupport
import Testing
import VMAddressSpace
import VMMemory
import VMRegions

@testable import VMDirtyTracking

/// Regions that are tracked, whose bitmaps start anywhere in a word.
final class TrackedMemory {
    /// Several to a slot, with holes between them, and not at multiples of 64 pages.
    static let frames: [Range<UInt64>] = [3..<73, 73..<80, 90..<311, 640..<641, 650..<800]
    /// Of all of it; parts of each may be in none.
    static let end: UInt64 = 810

    let manager: RegionManager
    private let handles: [RegionHandle]

    init() throws {
        manager = try RegionManager(addressWidth: 32)
        var definitions: [RegionDefinition] = []
        for (index, frames) in Self.frames.enumerated() {
            // How many pages of the backing come before the region's first.
            let skipped = UInt64(index * 21)
            let backing = try RegionBacking(
                anonymous: "\(index)", byteCount: (UInt64(frames.count) + skipped + 7) << 12)
            definitions.append(
                RegionDefinition(
                    "\(index)", pages(frames),
                    memory: [.init(count: UInt64(frames.count) << 12, of: backing, backingOffset: skipped << 12)],
                    parameters: MapParameters()))
        }
        handles = try manager.withTurn { [definitions] manager throws(RegionManagerError) in
            try manager.addRegions(definitions)
        }
    }

    static let all = Set(frames.joined())

    /// The frames that the bitmaps have.
    var marked: Set<UInt64> {
        var marked: Set<UInt64> = []
        for region in manager.memory.regionMap.regions {
            for (index, frame) in region.range.frames.enumerated() where region.isDirty(at: UInt64(index) << 12) {
                marked.insert(frame)
            }
        }
        return marked
    }

    /// What a device's write does.
    func write(_ frame: UInt64) throws {
        try manager.memory.store(UInt8(1), at: GuestAddress(frame << 12 + frame % 4096))
    }

    /// Fills a round with memory and what a log has of it.
    func fill(_ round: inout DirtyRound, _ slots: [(frames: Range<UInt64>, dirty: Set<UInt64>)], _ range: MemoryRange?)
    {
        round.begin(manager.dirtyLog)
        for slot in slots { round.append(pages(slot.frames)) { words in words.fill(slot.frames, slot.dirty) } }
        round.finish(range)
    }
}

extension UnsafeMutableBufferPointer<UInt64> {
    /// Makes it the log of some frames.
    func fill(_ frames: Range<UInt64>, _ dirty: Set<UInt64>) {
        update(repeating: 0)
        for frame in dirty {
            let bit = Int(frame - frames.lowerBound)
            self[bit / 64] |= 1 << (bit % 64)
        }
    }
}

extension DirtyRound {
    /// As they come.
    borrowing func runs() -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        forEachRun { runs.append($0.frames) }
        return runs
    }

    borrowing func frames() -> Set<UInt64> { Set(runs().joined()) }
}
