import VMAddressSpace

/// Bytes spread over 4 KiB page frames of guest memory, in the order of a list: what a guest hands a device as a list of
/// pages.
public struct PagedRange: Hashable, Sendable {
    /// The numbers of the frames.
    public let frames: [UInt64]
    /// Where in the first frame the bytes begin: 0 to 4095.
    public let offset: UInt64
    /// How many bytes there are.
    public let count: UInt64

    /// - Returns: nil where `offset` is not in the first page, or the frames do not hold that many bytes, or lie past 2^64.
    public init?(frames: [UInt64], offset: UInt64 = 0, count: UInt64) {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, offset < PageSize.size4K.bytes, end <= UInt64(frames.count) << PageSize.size4K.shift,
            frames.allSatisfy({ $0 < GuestAddress.frameCount })
        else { return nil }
        self.frames = frames
        self.offset = offset
        self.count = count
    }

    /// The address of the first byte.
    var start: GuestAddress { GuestAddress((frames.first ?? 0) << PageSize.size4K.shift + offset) }

    /// Calls `body` with each run of bytes that lie in frames that follow one another, and the number of bytes before it.
    func forEachRun<Failure: Error>(
        _ body: (GuestAddress, _ count: Int, _ done: Int) throws(Failure) -> Void
    ) throws(Failure) {
        let page = PageSize.size4K.bytes
        var index = 0
        var done: UInt64 = 0
        while done < count {
            let within = done == 0 ? offset : 0
            var end = index + 1
            while end < frames.count, frames[end] == frames[end - 1] + 1 { end += 1 }
            let bytes = min(UInt64(end - index) * page - within, count - done)
            try body(GuestAddress(frames[index] << PageSize.size4K.shift + within), Int(bytes), Int(done))
            done += bytes
            index = end
        }
    }
}

extension GuestMemory {
    /// Gathers the bytes of a list of pages into `buffer`, filling it.
    /// - Throws: `GuestMemoryError`, of kind `badPageList` where `buffer` is not as long as the list.
    public func read(_ pages: PagedRange, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        try transfer(.read, pages, buffer.count) { address, count, done throws(GuestMemoryError) in
            try read(address, into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + count)]))
        }
    }

    /// Scatters `bytes` over a list of pages.
    /// - Throws: `GuestMemoryError`, of kind `badPageList` where `bytes` is not as long as the list.
    public func write(_ bytes: UnsafeRawBufferPointer, to pages: PagedRange) throws(GuestMemoryError) {
        try transfer(.write, pages, bytes.count) { address, count, done throws(GuestMemoryError) in
            try write(UnsafeRawBufferPointer(rebasing: bytes[done..<(done + count)]), at: address)
        }
    }

    /// Sets all bytes of a list of pages to `value`.
    public func fill(_ pages: PagedRange, with value: UInt8) throws(GuestMemoryError) {
        try transfer(.fill, pages, Int(clamping: pages.count)) { address, count, _ throws(GuestMemoryError) in
            try fill(address, count: UInt64(count), with: value)
        }
    }

    /// Finds out whether all bytes of a list of pages can be accessed: see `probe(_:count:for:)`.
    public func probe(_ pages: PagedRange, for purpose: Purpose) throws(GuestMemoryError) {
        try transfer(.probe, pages, Int(clamping: pages.count)) { address, count, _ throws(GuestMemoryError) in
            try probe(address, count: UInt64(count), for: purpose)
        }
    }

    private func transfer(
        _ operation: GuestMemoryError.Operation, _ pages: PagedRange, _ count: Int,
        _ body: (GuestAddress, Int, Int) throws(GuestMemoryError) -> Void
    ) throws(GuestMemoryError) {
        guard UInt64(count) == pages.count else {
            let first = guestPhysical(pages.start)
            throw error(operation, first, pages.count, .badPageList, at: first)
        }
        // All or nothing where a page is missing, as for any access.
        try requireMemory(operation, pages)
        try pages.forEachRun { (address, count, done) throws(GuestMemoryError) in
            do throws(GuestMemoryError) {
                try body(address, count, done)
            } catch {
                throw self.error(error, of: pages, completed: UInt64(done) + error.completed)
            }
        }
    }

    /// Throws where not all of a list of pages is memory.
    func requireMemory(
        _ operation: GuestMemoryError.Operation, _ pages: PagedRange
    ) throws(GuestMemoryError) {
        try pages.forEachRun { (address, count, _) throws(GuestMemoryError) in
            do throws(GuestMemoryError) {
                try requireMemory(operation, address, UInt64(count))
            } catch {
                throw self.error(error, of: pages, completed: 0)
            }
        }
    }

    /// The error of a run as that of the whole list.
    func error(_ error: GuestMemoryError, of pages: PagedRange, completed: UInt64) -> GuestMemoryError {
        self.error(
            error.operation, guestPhysical(pages.start), pages.count, error.kind, at: error.failing.rawValue,
            completed: completed)
    }
}
