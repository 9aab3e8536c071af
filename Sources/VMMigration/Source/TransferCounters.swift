import Synchronization
import VMHost

/// What the channels of a migration have sent; read while they send.
final class TransferCounters: Sendable {
    private let data = Atomic<UInt64>(0)
    private let zero = Atomic<UInt64>(0)
    private let bytes = Atomic<UInt64>(0)

    func add(_ counts: PageCounts) {
        data.wrappingAdd(counts.data, ordering: .relaxed)
        zero.wrappingAdd(counts.zero, ordering: .relaxed)
        bytes.wrappingAdd(counts.bytes, ordering: .relaxed)
    }

    var value: PageCounts {
        PageCounts(
            data: data.load(ordering: .relaxed), zero: zero.load(ordering: .relaxed),
            bytes: bytes.load(ordering: .relaxed))
    }
}

/// Keeps the channels of a migration together below so many bytes a second.
final class BandwidthLimit: Sendable {
    private let bytesPerSecond: Double
    /// Until when what was sent should have taken.
    private let due: Monitor<MonotonicTime>
    private let isLifted = Atomic<Bool>(false)

    init(_ bytesPerSecond: UInt64) {
        self.bytesPerSecond = Double(max(1, bytesPerSecond))
        due = Monitor(.now)
    }

    /// From now on, bytes go as fast as they can: nobody is kept waiting by a guest that stands still.
    func lift() {
        isLifted.store(true, ordering: .relaxed)
    }

    /// Notes bytes that were sent.
    /// - Returns: until when to wait; nil for not at all.
    func spend(_ bytes: UInt64) -> MonotonicTime? {
        guard !isLifted.load(ordering: .relaxed) else { return nil }
        return due.withLock { due in
            let cost = Duration.nanoseconds(Int64(min(Double(bytes) / bytesPerSecond * 1e9, 1e18)))
            due = max(due, .now).advanced(by: cost)
            return due
        }
    }
}
