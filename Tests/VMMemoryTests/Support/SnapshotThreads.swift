import Synchronization
import TestSupport
import VMHost

@testable import VMMemory

/// A snapshot that can be kept in collections and handed to other threads.
final class BoxedSnapshot<Map: AnyObject & Sendable>: Sendable {
    let snapshot: MemorySnapshot<Map>

    init(_ memory: GuestMemoryAtomic<Map>) {
        snapshot = memory.memory()
    }
}

/// A thread that holds a snapshot until it is told to drop it.
final class SnapshotHolder: Sendable {
    private enum State {
        case starting, holding, toDrop, dropped
    }
    private let state = Monitor(State.starting)

    var hasDropped: Bool { state.withLock { $0 == .dropped } }

    /// Returns once the thread has dropped it.
    func drop() {
        state.change { $0 = .toDrop }
        wait(for: .dropped)
    }

    private func wait(for wanted: State) {
        state.wait { $0 == wanted ? () : nil }
    }

    fileprivate func hold<Map>(_ memory: GuestMemoryAtomic<Map>) {
        holdSnapshot(memory)
        state.change { $0 = .dropped }
    }

    private func holdSnapshot<Map>(_ memory: GuestMemoryAtomic<Map>) {
        let snapshot = memory.memory()
        state.change { $0 = .holding }
        wait(for: .toDrop)
        _ = snapshot.retained()
    }

    /// Calls `body` while a thread holds a snapshot of `memory`, unless `body` makes it drop that.
    static func with<Map, Failure: Error>(
        _ memory: GuestMemoryAtomic<Map>, _ body: (SnapshotHolder) throws(Failure) -> Void
    ) throws(Failure) {
        let holder = SnapshotHolder()
        let thread = TestThread { holder.hold(memory) }
        holder.wait(for: .holding)
        let result = Result { () throws(Failure) in try body(holder) }
        if !holder.hasDropped { holder.drop() }
        thread.join()
        try result.get()
    }
}

/// Snapshots on their way from thread to thread.
final class SnapshotParcel<Map: AnyObject & Sendable>: Sendable {
    private let boxes = Monitor([BoxedSnapshot<Map>]())

    var count: Int { boxes.withLock { $0.count } }

    func put(_ box: BoxedSnapshot<Map>) {
        boxes.withLock { $0.append(box) }
    }

    /// The one put in first, or nil where there is none.
    func take() -> BoxedSnapshot<Map>? {
        boxes.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}
