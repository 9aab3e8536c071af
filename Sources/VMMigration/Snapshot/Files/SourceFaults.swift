import CTryCopy

/// Copies from memory that may refuse: pages with a memory error, mappings of files that were cut.
enum SourceFaults {
    /// Makes faults of `copy` values. Where the host refuses the handlers, a fault is what it is without them.
    static func catchThem() { _ = installation }

    private static let installation = ctrycopy_install()

    /// - Returns: nil, or the address that could not be read.
    static func copy(
        _ source: UnsafeRawPointer, to buffer: UnsafeMutableRawPointer, count: Int
    ) -> UInt? {
        let result = ctrycopy_copy_in(buffer, source, count)
        return result.signal == 0 ? nil : UInt(result.value)
    }
}
