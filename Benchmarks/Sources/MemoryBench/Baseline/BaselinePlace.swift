import CMemoryBaseline

/// The owner of reserved addresses and of a file of the baseline's.
final class BaselinePlace {
    let pointer: OpaquePointer

    init(byteCount: UInt64, fileSize: UInt64) {
        pointer = baseline_place_create(byteCount, fileSize)
    }

    deinit {
        baseline_place_destroy(pointer)
    }
}
