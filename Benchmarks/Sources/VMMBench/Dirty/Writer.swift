import BenchmarkSupport
import CBaseline
import Glibc

/// The guest `writer`, as it is reached through its memory: it writes to the pages it is told to.
struct Writer {
    /// How much memory it has: what it writes to is all of it but the first 4 MiB.
    static let memorySize: UInt64 = 1 << 30
    static let pageSize: UInt64 = 4096
    /// The numbers of all pages that it can write to.
    static let allPages = UInt32(UInt64(WRITER_SET) / pageSize)..<UInt32(memorySize / pageSize)
    /// How many more pages may be found dirty than it was to write: that of its control words, and those of its image.
    static let ownPageCount: UInt64 = 4

    // SAFETY: whoever makes it keeps the guest's memory mapped, with room for these at their addresses. What the guest
    // changes while it runs is read atomically.
    /// The guest's, from its address 0 on.
    let memory: UnsafeMutableRawPointer
    private let control: UnsafeMutablePointer<writer_control>
    private let pages: UnsafeMutablePointer<UInt32>

    /// - Parameter memory: the guest's, from its address 0 on.
    init(memory: UnsafeMutableRawPointer) {
        self.memory = memory
        control = (memory + Int(WRITER_CONTROL)).assumingMemoryBound(to: writer_control.self)
        pages = (memory + Int(WRITER_PAGES)).assumingMemoryBound(to: UInt32.self)
    }

    /// Some pages, which are spread over all memory. The order in which it will write to them.
    static func randomPages(share: Double) -> [UInt32] {
        var random = Xorshift(seed: 0x5eed)
        var pages = Array(allPages)
        let count = max(1, Int((Double(pages.count) * share).rounded()))
        for index in 0..<count {
            pages.swapAt(index, index + Int(random.next() % UInt64(pages.count - index)))
        }
        return Array(pages.prefix(count))
    }

    /// Which pages to write to, in this order. The guest must be idle.
    func setPages(_ numbers: some Collection<UInt32>) {
        for (index, number) in numbers.enumerated() { pages[index] = number }
        control.pointee.page_count = UInt64(numbers.count)
    }

    /// Tells it to write to its pages once. It must be idle.
    func orderPass() {
        writer_order(control, control.pointee.page_count, 0, false)
    }

    /// Tells it to write to them until it is stopped.
    /// - Parameter rate: bytes of pages a second; 0 for as fast as can be.
    func orderWrites(rate: UInt64) {
        writer_order(control, control.pointee.page_count, rate, true)
    }

    func stop() {
        writer_stop(control)
    }

    var progress: UInt64 { writer_progress(control) }

    func waitUntilIdle() throws {
        try wait { writer_is_idle(control) }
    }

    /// Waits until it has written to some more pages.
    func waitForProgress() throws {
        let before = progress
        try wait { progress > before }
    }

    /// Takes as little of its CPU away from it as can be: sleeps for longer and longer.
    private func wait(_ condition: () -> Bool) throws {
        var pause: UInt32 = 20
        let deadline = monotonicNanoseconds() + 60_000_000_000
        while !condition() {
            guard monotonicNanoseconds() < deadline else { throw BenchmarkError("the guest does not get done") }
            usleep(pause)
            pause = min(pause * 2, 2000)
        }
    }

    func pagesPerSecond(over microseconds: UInt32) -> Double {
        1e9 / nanosecondsPerPage(over: microseconds)
    }

    /// How long a page takes it while it writes, in nanoseconds.
    func nanosecondsPerPage(over microseconds: UInt32) -> Double {
        let (firstCount, started) = (progress, monotonicNanoseconds())
        usleep(microseconds)
        let (lastCount, ended) = (progress, monotonicNanoseconds())
        return Double(ended - started) / Double(max(1, lastCount - firstCount))
    }
}
