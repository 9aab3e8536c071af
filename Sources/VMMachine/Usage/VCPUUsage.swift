/// What a vCPU has taken of the host so far, or in an interval. What the host does not tell is nil.
public struct VCPUUsage: Hashable, Sendable {
    /// CPU time of its thread in the guest and in the monitor: what the kernel counts as user time. Most kernels tell this
    /// from `systemTime` by their clock ticks. So differences over less than a second are rough; entering and leaving the
    /// guest may count as either; and what a guest does in step with the ticks may be missed or counted for more than it is.
    public var userTime: Duration?
    /// CPU time of its thread in the host's kernel: with page faults of the guest, and whatever else KVM does for it.
    public var systemTime: Duration?
    /// How long its thread was ready to run, and no processor of the host's was free.
    public var waitingTime: Duration?
    /// How often it left the guest, whether or not the monitor heard of it.
    public var exits: UInt64?
    /// How many page faults KVM has handled for it, those among them by which it learns that a page is written.
    public var pageFaults: UInt64?
    /// How often its dirty ring was full.
    public var fullRings: UInt64?
    /// How long that kept it out of the guest, until its ring was empty.
    public var fullRingTime: Duration?

    /// Nothing is known.
    public init() {}

    /// What came after `earlier`.
    public func since(_ earlier: VCPUUsage) -> VCPUUsage { combined(with: earlier, -) { $0 > $1 ? $0 - $1 : 0 } }

    /// Of both together.
    public static func + (left: VCPUUsage, right: VCPUUsage) -> VCPUUsage { left.combined(with: right, +, &+) }

    private func combined(
        with other: VCPUUsage, _ combine: (Duration, Duration) -> Duration, _ combineCounts: (UInt64, UInt64) -> UInt64
    ) -> VCPUUsage {
        func both<Value>(_ member: KeyPath<VCPUUsage, Value?>, _ combine: (Value, Value) -> Value) -> Value? {
            guard let left = self[keyPath: member], let right = other[keyPath: member] else { return nil }
            return combine(left, right)
        }
        var result = VCPUUsage()
        result.userTime = both(\.userTime, combine)
        result.systemTime = both(\.systemTime, combine)
        result.waitingTime = both(\.waitingTime, combine)
        result.exits = both(\.exits, combineCounts)
        result.pageFaults = both(\.pageFaults, combineCounts)
        result.fullRings = both(\.fullRings, combineCounts)
        result.fullRingTime = both(\.fullRingTime, combine)
        return result
    }
}
