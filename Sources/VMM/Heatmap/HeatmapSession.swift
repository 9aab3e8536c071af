import VMAddressSpace
import VMDirtyBitmap
import VMDirtyTracking
import VMMachine
import VMRegions

/// A guest whose memory is tracked to draw it.
struct HeatmapSession: ~Copyable {
    let axis: HeatmapAxis
    let interval: Duration
    private let machine: Machine
    private var recorder: HeatmapRecorder
    private var round = DirtyRound()

    /// Of the memory there is now: what comes later is counted, and not drawn.
    init(_ machine: Machine, interval: Duration) throws(Failure) {
        self.machine = machine
        self.interval = interval
        axis = HeatmapAxis(machine.memory.regionMap.regions.map(\.range), columnLimit: HeatmapLayout.columnLimit)
        do throws(BitmapError) {
            recorder = try HeatmapRecorder(axis: axis)
        } catch {
            throw Failure(.hostFailure, "no memory for the heat map: \(error)")
        }
    }

    /// Begins to track.
    mutating func begin() throws(Failure) {
        do throws(DirtyTrackingError) {
            try machine.dirtyTracker.start()
        } catch {
            throw Failure(error)
        }
    }

    /// Ends an interval.
    /// - Parameter time: since the beginning.
    /// - Returns: what was written in it.
    mutating func sample(at time: Duration) throws(Failure) -> HeatmapRow? {
        do throws(DirtyTrackingError) {
            try machine.dirtyTracker.harvest(into: &round)
        } catch {
            throw Failure(error)
        }
        round.forEachRun { recorder.add($0) }
        recorder.endInterval(at: time, harvestTime: round.duration)
        return recorder.latest
    }

    var heatmap: Heatmap { recorder.heatmap }

    var caption: HeatmapCaption {
        HeatmapCaption(
            guest: machine.configuration.guest, method: machine.dirtyTracker.method?.displayName ?? "",
            interval: interval, regions: regions)
    }

    /// Lines for people.
    var summary: String {
        var table = TextTable()
        for item in HeatmapSummary(heatmap).items { table.append([item.name, item.value, item.note]) }
        return table.lines.joined(separator: "\n")
    }

    private var regions: [HeatmapCaption.Region] {
        guard
            let inspection = try? machine.regions.withTurn({ manager throws(RegionManagerError) in manager.inspect() })
        else { return [] }
        return inspection.view.compactMap { piece in
            piece.memory.map { _ in HeatmapCaption.Region(name: piece.region, range: piece.range.range) }
        }
    }
}

extension DirtyTrackingMethod {
    /// What people call it.
    var displayName: String {
        switch self {
        case .log: "dirty log"
        case .manual: "dirty log with manual protection"
        case .ring: "dirty rings"
        }
    }
}

extension Failure {
    /// Tracking that cannot be as the options say, or that the host cannot do.
    init(_ error: DirtyTrackingError) {
        switch error {
        case .switchedOff, .fixed, .unsupported: self.init(.usage, "--dirty-tracking: \(error)")
        case .alreadyTracking, .notTracking, .machineGone, .partition: self.init(.hostFailure, "\(error)")
        }
    }
}
