import TestSupport
import VMAddressSpace
import VMDirtyTracking

@testable import VMM

/// Whole pages, by frame number.
func pages(_ frames: Range<UInt64>) -> MemoryRange {
    try! MemoryRange(frames: frames)
}

/// Guest memory as axes have to show it, in frames.
enum Memories {
    private static let mebi: UInt64 = 256
    private static let gibi: UInt64 = 256 * 1024

    static let tiny: [Range<UInt64>] = [0..<16]
    static let small: [Range<UInt64>] = [0..<(64 * mebi)]
    static let plain: [Range<UInt64>] = [0..<(3 * gibi)]
    /// With the holes that PCs have.
    static let large: [Range<UInt64>] = [0..<160, 256..<(3 * gibi), (4 * gibi)..<(65 * gibi)]
    static let huge: [Range<UInt64>] = [0..<(1024 * gibi)]
    /// Far from zero.
    static let sparse: [Range<UInt64>] = [0..<(64 * mebi), (1024 * gibi)..<(1024 * gibi + 64 * mebi)]
    /// At addresses that no unit divides, and at the last.
    static let odd: [Range<UInt64>] = [12_345..<12_350, 99_999..<200_001, ((1 << 52) - 777)..<(1 << 52)]
    static let scattered: [Range<UInt64>] = (0..<300).map { ($0 * 5000)..<($0 * 5000 + 600) }

    static let all = [tiny, small, plain, large, huge, sparse, odd, scattered]
}

/// A recording of writes at random, some of them outside of memory.
func recording(
    of memory: [Range<UInt64>], intervals: Int = 20, columnLimit: Int = 1024, rowLimit: Int = 256
) throws -> Heatmap {
    let axis = HeatmapAxis(memory.map(pages), columnLimit: columnLimit)
    var recorder = try HeatmapRecorder(axis: axis, rowLimit: rowLimit, span: .milliseconds(200))
    var random = SeededGenerator(seed: 5)
    for interval in 1...intervals {
        for extent in memory {
            for _ in 0..<20 {
                let start = UInt64.random(in: extent, using: &random)
                let length = UInt64.random(in: 1...max(1, min(UInt64(extent.count) / 64, 20_000)), using: &random)
                recorder.add(pages(start..<min(start + length, GuestAddress.frameCount)))
            }
        }
        recorder.endInterval(at: .milliseconds(50 * interval), harvestTime: .microseconds(90 + interval))
    }
    return recorder.heatmap
}
