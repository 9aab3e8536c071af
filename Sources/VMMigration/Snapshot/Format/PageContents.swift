import CXXHash

/// What is computed of a page's 4096 bytes.
enum PageContents {
    static func hash(_ page: UnsafeRawPointer) -> UInt64 {
        XXH3_64bits(page, SnapshotFormat.pageBytes)
    }

    /// Most pages that are not zero are known by their first 64 bytes.
    /// - Parameter page: aligned to 64 bytes.
    static func isZero(_ page: UnsafeRawPointer) -> Bool {
        isZero(UnsafeRawBufferPointer(start: page, count: SnapshotFormat.pageBytes))
    }

    /// - Parameter bytes: aligned to 64 bytes, and a multiple of that long.
    static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let words = bytes.load(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            guard words == .zero else { return false }
            offset += MemoryLayout<SIMD8<UInt64>>.size
        }
        return true
    }
}
