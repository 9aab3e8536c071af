import CMemoryBaseline

/// The owner of a map of the baseline's.
final class BaselineMap {
    var pointer: OpaquePointer

    init(regions: Int, size: UInt64, stride: UInt64) {
        pointer = baseline_map_create(regions, size, stride, false)
    }

    deinit {
        baseline_map_release(pointer)
    }
}
