import CMemoryBaseline

/// The owner of a registrar of the baseline's.
final class BaselineRegistrar {
    let pointer: OpaquePointer

    init(byteCount: UInt64) {
        pointer = baseline_registrar_create(byteCount)
    }

    deinit {
        baseline_registrar_destroy(pointer)
    }
}
