import CTryCopy
import Glibc
import Testing

let pageSize = 4096

/// A mapping for a test to spoil: pages protected, or behind them a file that is cut.
struct Pages: ~Copyable {
    let base: UnsafeMutableRawPointer
    let count: Int
    private let file: Int32?

    /// Anonymous pages, readable and writable.
    init(_ count: Int) throws {
        try self.init(count, file: nil, flags: MAP_PRIVATE | MAP_ANONYMOUS)
    }

    /// Shared pages of an unnamed file of that size.
    init(ofFile count: Int) throws {
        var path = Array("/tmp/pages-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        try #require(file >= 0 && unlink(path) == 0 && ftruncate(file, count * pageSize) == 0)
        try self.init(count, file: file, flags: MAP_SHARED)
    }

    private init(_ count: Int, file: Int32?, flags: Int32) throws {
        let base = mmap(nil, count * pageSize, PROT_READ | PROT_WRITE, flags, file ?? -1, 0)
        self.base = try #require(base == MAP_FAILED ? nil : base)
        self.count = count
        self.file = file
    }

    deinit {
        munmap(base, count * pageSize)
        if let file { close(file) }
    }

    var bytes: UnsafeMutableRawBufferPointer { .init(start: base, count: count * pageSize) }

    /// The address of a page; of the end for `count`.
    func page(_ index: Int) -> UnsafeMutableRawPointer { base + index * pageSize }

    func protect(_ pages: Range<Int>, _ protection: Int32) {
        #expect(mprotect(page(pages.lowerBound), pages.count * pageSize, protection) == 0)
    }

    /// Cuts the file behind the mapping to so many pages.
    func truncate(to pages: Int) throws {
        let file = try #require(file)
        try #require(ftruncate(file, pages * pageSize) == 0)
    }

    /// Fills all of it with bytes that differ from their neighbours and from page to page.
    func scramble() {
        var state: UInt32 = 1
        for index in bytes.indices {
            state = state &* 1_664_525 &+ 1_013_904_223
            bytes[index] = UInt8(truncatingIfNeeded: state >> 24)
        }
    }
}
