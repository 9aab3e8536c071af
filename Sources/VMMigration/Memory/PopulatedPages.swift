import Glibc
import VMAddressSpace

/// Which pages of anonymous memory have ever been touched, as /proc/self/pagemap knows (kernel document "pagemap"): the rest
/// is zero, and need not be read, which would provide pages.
final class PopulatedPages {
    private let descriptor: CInt
    private var entries: [UInt64]

    /// A page is in memory, or in swap space.
    private static let isThere: UInt64 = 1 << 63 | 1 << 62
    /// How many pages are looked at at a time.
    static let limit = 4096

    /// Where the host does not tell, all pages count as touched.
    init() {
        descriptor = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
        entries = Array(repeating: 0, count: Self.limit)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Calls `body` with each run of up to `limit` pages, and whether they were touched.
    /// - Parameter address: of the first page.
    func forEachRun<Failure: Error>(
        at address: UInt, pageCount: Int, _ body: (Range<Int>, _ isPopulated: Bool) throws(Failure) -> Void
    ) throws(Failure) {
        let first = off_t(address >> UInt(PageSize.size4K.shift)) * 8
        let wanted = min(pageCount, Self.limit)
        let got = entries.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, wanted * 8, first) }
        // What it does not tell of counts as touched.
        let known = max(0, got / 8)
        var start = 0
        while start < known {
            let isPopulated = entries[start] & Self.isThere != 0
            var end = start + 1
            while end < known, (entries[end] & Self.isThere != 0) == isPopulated { end += 1 }
            try body(start..<end, isPopulated)
            start = end
        }
        if known < wanted { try body(known..<wanted, true) }
    }
}
