/// Memory for some pages.
struct PageBuffer: ~Copyable, @unchecked Sendable {
    // SAFETY: the memory is this value's alone and lives as long as it; who writes to it has the value's owner exclusively, or
    // made it for themselves.
    let bytes: UnsafeMutableRawBufferPointer

    /// 256 KiB: they stay in the processor's cache from the copy over the checks to the write.
    static let pageCount: UInt64 = 64

    init(pageCount: UInt64 = Self.pageCount) {
        bytes = .allocate(
            byteCount: Int(pageCount) * SnapshotFormat.pageBytes, alignment: SnapshotFormat.pageBytes)
    }

    deinit { bytes.deallocate() }

    /// The bytes of its first pages.
    func pages(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes[..<(count * SnapshotFormat.pageBytes)])
    }
}

extension Range<UInt64> {
    /// The range in parts of as many pages as a buffer has.
    func forEachBufferful<Failure: Error>(_ body: (Range<UInt64>) throws(Failure) -> Void) throws(Failure) {
        var first = lowerBound
        while first < upperBound {
            let next = first + Swift.min(upperBound - first, PageBuffer.pageCount)
            try body(first..<next)
            first = next
        }
    }
}
