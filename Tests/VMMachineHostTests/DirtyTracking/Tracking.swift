import Glibc
import KVM
import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMMachine

/// The methods that this host has.
let hostMethods: [DirtyTrackingMethod] = {
    guard let system = try? KVMSystem() else { return DirtyTrackingMethod.allCases }
    return DirtyTrackingMethod.allCases.filter(DirtyTrackingSupport(system).has)
}()

extension MachineConfiguration {
    /// Has what a method needs from the start.
    mutating func prepare(for method: DirtyTrackingMethod, ringSize: Int? = nil) {
        guard method == .ring else { return }
        dirtyTracking = .ring
        dirtyRingSize = ringSize
    }
}

extension DirtyRound {
    /// The frames of its pages.
    borrowing func frames() -> Set<UInt64> {
        var frames: Set<UInt64> = []
        forEachRun { frames.formUnion($0.frames) }
        return frames
    }
}

/// A copy of a range of a machine's RAM that is kept up to date by what a tracker reports alone.
final class MemoryCopy {
    /// Keeps the memory mapped.
    private let machine: Machine
    private let range: MemoryRange
    private let live: UnsafeMutableRawPointer
    private let copy: UnsafeMutableRawPointer
    private let count: Int

    /// As it is now.
    /// - Parameter range: in the first region of RAM; nil for all of that.
    init(_ machine: Machine, _ range: MemoryRange? = nil) throws {
        let region = try #require(machine.memory.regionMap.regions.first)
        self.machine = machine
        self.range = range ?? region.range
        live = try #require(region.hostAddress) + Int(self.range.start.rawValue - region.range.start.rawValue)
        count = Int(self.range.count)
        copy = .allocate(byteCount: count, alignment: 4096)
        copy.copyMemory(from: live, byteCount: count)
    }

    deinit {
        copy.deallocate()
    }

    /// Copies the pages of a round.
    func take(_ round: borrowing DirtyRound) {
        round.forEachRun { run in
            guard let run = run.intersection(range) else { return }
            let offset = Int(run.start.rawValue - range.start.rawValue)
            (copy + offset).copyMemory(from: live + offset, byteCount: Int(run.count))
        }
    }

    /// The frames of the pages that are other than in the copy.
    func differences() -> Set<UInt64> {
        var frames: Set<UInt64> = []
        for frame in range.frames {
            let offset = Int(frame - range.frames.lowerBound) << 12
            if memcmp(live + offset, copy + offset, 4096) != 0 { frames.insert(frame) }
        }
        return frames
    }
}
