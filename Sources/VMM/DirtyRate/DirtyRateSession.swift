import VMDirtyBitmap
import VMDirtyTracking
import VMMachine
import VMRegions

/// A guest whose dirty rate is measured: first, unless that is not wanted, there is some time in which it starts up, and some
/// in which it is left alone, to compare with; then one interval after another.
struct DirtyRateSession: ~Copyable {
    /// An interval, and what it cost.
    struct Measured {
        let interval: DirtyRateInterval
        let cost: GuestCost
    }

    private enum Phase {
        case startingUp, baseline, measuring
    }

    let regions: [DirtyRateRegion]
    private(set) var totals = DirtyRateTotals()
    /// Of the time without measuring; nil where there was none.
    private(set) var baseline: GuestCost?
    /// Of the measured intervals whose cost is known to the end.
    private(set) var cost: GuestCost?
    private let machine: Machine
    private var meter: DirtyRateMeter
    private var costs: CostMeter
    private var phase = Phase.startingUp
    private var phaseEnd = shortestPhase * slack

    /// The guest starts up for as long, and is left alone for as long again; or for an interval, where that is longer.
    static let shortestPhase = Duration.seconds(1)
    /// So that an interval that ends a moment early is not waited for twice.
    private static let slack = 0.9

    /// - Parameter machine: one that has not been started.
    init(_ machine: Machine, _ mode: DirtyRateMode, sampleSize: Int) throws(Failure) {
        self.machine = machine
        let regions = try machine.writableRegions()
        do throws(BitmapError) {
            meter = try DirtyRateMeter(
                mode, of: machine.dirtyTracker, machine.memory, regions: regions, sampleSize: sampleSize)
        } catch {
            throw Failure(.hostFailure, "no memory for the working set: \(error)")
        }
        self.regions = regions
        costs = CostMeter(machine)
    }

    /// How the kernel logs; nil where it does not.
    var method: DirtyTrackingMethod? { machine.dirtyTracker.method }

    /// Begins with the first measured interval at once.
    mutating func skipBaseline() throws(Failure) {
        try beginMeasuring()
    }

    /// Ends an interval.
    /// - Parameter time: since the guest was started.
    /// - Returns: what was measured; nil of an interval before the first measured.
    mutating func sample(at time: Duration) throws(Failure) -> Measured? {
        switch phase {
        case .startingUp:
            guard time >= phaseEnd else { return nil }
            _ = costs.take()
            phase = .baseline
            phaseEnd = time + Self.shortestPhase * Self.slack
            return nil
        case .baseline:
            guard time >= phaseEnd else { return nil }
            baseline = costs.take()
            try beginMeasuring()
            return nil
        case .measuring:
            return try endInterval()
        }
    }

    private mutating func beginMeasuring() throws(Failure) {
        phase = .measuring
        do throws(DirtyTrackingError) {
            try meter.begin()
        } catch {
            throw Failure(error)
        }
        // What it takes to begin is no part of an interval.
        _ = costs.take()
    }

    private mutating func endInterval() throws(Failure) -> Measured {
        let interval: DirtyRateInterval
        do throws(DirtyTrackingError) {
            interval = try meter.endInterval()
        } catch {
            throw Failure(error)
        }
        let cost = costs.take()
        totals.add(interval)
        // The CPU times of threads that are gone are not known.
        if cost.usage.userTime != nil || self.cost == nil { self.cost = self.cost.map { $0 + cost } ?? cost }
        return Measured(interval: interval, cost: cost)
    }
}

extension Machine {
    /// The memory that the guest sees and can write, by the names of regions.
    fileprivate func writableRegions() throws(Failure) -> [DirtyRateRegion] {
        let inspection: RegionInspection
        do throws(RegionManagerError) {
            inspection = try regions.withTurn { manager throws(RegionManagerError) in manager.inspect() }
        } catch {
            throw Failure(.hostFailure, "\(error)")
        }
        let pieces = inspection.view.filter { $0.memory?.writable ?? false }
        var names: [String] = []
        for piece in pieces where !names.contains(piece.region) { names.append(piece.region) }
        return names.compactMap { name in
            DirtyRateRegion(name: name, ranges: pieces.filter { $0.region == name }.map(\.range.range))
        }
    }
}
