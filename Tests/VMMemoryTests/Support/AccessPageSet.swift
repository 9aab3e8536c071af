import VMDirtyBitmap
import VMHost

/// A bitmap that is no `AtomicBitmap`: regions with it are marked by calls.
struct AccessPageSet: BitmapSlice {
    private let start: UInt64
    private let shared: AccessPageSet.Pages

    final class Pages: Sendable {
        let numbers = Monitor(Set<UInt64>())
    }

    init() {
        self.init(Pages(), start: 0)
    }

    private init(_ shared: Pages, start: UInt64) {
        self.shared = shared
        self.start = start
    }

    func markDirty(offset: UInt64, count: UInt64) {
        guard count > 0 else { return }
        let (first, last) = (start &+ offset, start &+ offset &+ (count - 1))
        shared.numbers.withLock { $0.formUnion((first >> 12)...(last >> 12)) }
    }

    func isDirty(at offset: UInt64) -> Bool {
        shared.numbers.withLock { $0.contains((start &+ offset) >> 12) }
    }

    func slice(at offset: UInt64) -> AccessPageSet {
        AccessPageSet(shared, start: start &+ offset)
    }

    /// Forgets all marks.
    func clear() {
        shared.numbers.withLock { $0 = [] }
    }
}
