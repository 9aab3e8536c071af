import VMDirtyTracking
import VMMachine

/// What some time of running cost the guest and the host, measured or not at all: what the host does not tell is nil.
struct GuestCost {
    /// Of the clock on the wall.
    var duration: Duration
    var vcpuCount: Int
    /// Of all vCPUs together.
    var usage: VCPUUsage
    /// How long all vCPUs were kept out of the guest.
    var pausedTime: Duration

    /// Of both, one after another.
    static func + (left: GuestCost, right: GuestCost) -> GuestCost {
        GuestCost(
            duration: left.duration + right.duration, vcpuCount: left.vcpuCount, usage: left.usage + right.usage,
            pausedTime: left.pausedTime + right.pausedTime)
    }

    /// The part of the time of all vCPUs that this is; nil of nil.
    func share(_ time: Duration?) -> Double? {
        guard let time, duration > .zero, vcpuCount > 0 else { return nil }
        return time / (duration * vcpuCount)
    }

    /// The parts of the vCPUs' time in the guest and in the kernel. Nil also where the time is too short for them to be told
    /// apart by the kernel's clock ticks.
    var userShare: Double? { duration < Self.shortestSplit ? nil : share(usage.userTime) }
    var systemShare: Double? { duration < Self.shortestSplit ? nil : share(usage.systemTime) }

    private static let shortestSplit = Duration.milliseconds(500)

    func perSecond(_ count: UInt64?) -> Double? {
        guard let count, duration > .zero else { return nil }
        return Double(count) / (duration / .seconds(1))
    }
}

/// Says what the time since it was asked before has cost.
struct CostMeter {
    private let meter: UsageMeter
    private var last: [VCPUUsage]
    private var lastPaused: Duration
    private var lastTime = ContinuousClock.now

    /// - Parameter machine: one that has not been started.
    init(_ machine: Machine) {
        meter = UsageMeter(machine)
        last = meter.vcpus
        lastPaused = meter.pausedTime
    }

    mutating func take() -> GuestCost {
        let (usage, paused, time) = (meter.vcpus, meter.pausedTime, ContinuousClock.now)
        defer { (last, lastPaused, lastTime) = (usage, paused, time) }
        let spent = zip(usage, last).map { $0.since($1) }
        return GuestCost(
            duration: time - lastTime, vcpuCount: spent.count,
            usage: spent.dropFirst().reduce(spent.first ?? VCPUUsage(), +), pausedTime: paused - lastPaused)
    }
}
