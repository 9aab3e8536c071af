import CMemoryBaseline

/// The owner of guest memory of the baseline's: a map that can be replaced.
final class BaselineMemory: @unchecked Sendable {
    // SAFETY: readers are kept apart from each other by their own variables; nobody replaces the map.
    let pointer: OpaquePointer

    init(regions: Int, size: UInt64, stride: UInt64, isTracked: Bool) {
        pointer = baseline_shared_create(baseline_map_create(regions, size, stride, isTracked))
    }

    deinit {
        baseline_shared_destroy(pointer)
    }
}
