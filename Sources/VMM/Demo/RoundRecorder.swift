import VMAddressSpace
import VMDirtyBitmap
import VMDirtyTracking
import VMHost
import VMMachine

/// Records which memory each round of a migration found written, as a heat map with a row for each.
final class RoundRecorder: Sendable {
    /// The columns that the report has room for.
    static let columnLimit = 700

    private let axis: HeatmapAxis
    private let recorder: Monitor<HeatmapRecorder>
    private let began = MonotonicTime.now

    /// Of the memory there is now.
    init(_ machine: Machine) throws(Failure) {
        let axis = HeatmapAxis(machine.memory.regionMap.regions.map(\.range), columnLimit: Self.columnLimit)
        self.axis = axis
        do throws(BitmapError) {
            recorder = Monitor(try HeatmapRecorder(axis: axis))
        } catch {
            throw Failure(.hostFailure, "no memory for the heat map: \(error)")
        }
    }

    /// Adds what was written since the round before.
    func add(_ round: borrowing DirtyRound) {
        recorder.withLock { recorder in
            round.forEachRun { recorder.add($0) }
            recorder.endInterval(at: .now - began, harvestTime: round.duration)
        }
    }

    var heatmap: Heatmap { recorder.withLock { $0.heatmap } }
}
