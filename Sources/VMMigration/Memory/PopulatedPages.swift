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
    private static let limit = 4096

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
    private func forEachRun<Failure: Error>(
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

    /// The same for pages of a block that are in one place, however many: `body` gets those that were touched.
    func forEachTouchedRun<Failure: Error>(
        of run: PageRun, at pointer: UnsafeRawPointer, _ body: (PageRun, UnsafeRawPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try forEachRun(of: run, at: pointer) { (run, pointer, isPopulated) throws(Failure) in
            if isPopulated { try body(run, pointer) }
        }
    }

    /// The same, with all of them.
    func forEachRun<Failure: Error>(
        of run: PageRun, at pointer: UnsafeRawPointer,
        _ body: (PageRun, UnsafeRawPointer, _ isPopulated: Bool) throws(Failure) -> Void
    ) throws(Failure) {
        var first = run.pages.lowerBound
        while first < run.pages.upperBound {
            let end = min(run.pages.upperBound, first + UInt64(Self.limit))
            let base = pointer + Int((first - run.pages.lowerBound) << PageSize.size4K.shift)
            try forEachRun(at: UInt(bitPattern: base), pageCount: Int(end - first)) {
                (pages, isPopulated) throws(Failure) in
                let part = PageRun(
                    block: run.block, pages: (first + UInt64(pages.lowerBound))..<(first + UInt64(pages.upperBound)))
                try body(part, base + Int(UInt64(pages.lowerBound) << PageSize.size4K.shift), isPopulated)
            }
            first = end
        }
    }
}
