import VMAddressSpace

/// Guest RAM as the devices and the boot loader see it: every access is checked against the regions there
/// are, may cross from one region to the next, and either happens whole or throws.
///
/// Any thread may use it, also while vCPUs run; like two CPUs of one machine, an access sees what others
/// store at the same time in no promised order.
public final class GuestMemory: Sendable {
    private let regions: [MemoryRegion]

    /// Zeroed RAM at each of these ranges.
    /// - Throws: `GuestMemoryError` of the kind `overlap` where two ranges share an address, `noHostMemory` where the
    ///   host has none to give, or a range is not made of whole pages.
    public init(anonymous ranges: [MemoryRange]) throws(GuestMemoryError) {
        let sorted = ranges.sorted { $0.start < $1.start }
        for (lower, upper) in zip(sorted, sorted.dropFirst()) where lower.overlaps(upper) {
            throw GuestMemoryError(operation: .map, address: upper.start, count: upper.count, kind: .overlap)
        }
        var regions: [MemoryRegion] = []
        for range in sorted { regions.append(try MemoryRegion(anonymous: range)) }
        self.regions = regions
    }

    /// The ranges of guest-physical addresses with RAM behind them, ascending.
    public var ranges: [MemoryRange] { regions.map(\.range) }

    /// Their total in bytes.
    public var byteCount: UInt64 { regions.reduce(0) { $0 + $1.range.count } }

    /// Calls `body` with each region's range and the host address behind its first byte, ascending. The
    /// pointers stay good for as long as this object lives.
    public func forEachRegion<Failure: Error>(
        _ body: (MemoryRange, UnsafeMutableRawPointer) throws(Failure) -> Void
    ) throws(Failure) {
        for region in regions {
            try body(region.range, region.mapping.baseAddress)
        }
    }

    /// Whether all `count` bytes from `address` on are RAM.
    public func contains(_ address: GuestAddress, count: Int) -> Bool {
        (try? walk(.read, address, count) { _, _ in }) != nil
    }

    /// Copies guest memory into `buffer`, filling it.
    public func read(_ address: GuestAddress, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        try walk(.read, address, buffer.count) { host, done in
            UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + host.count)])
                .copyMemory(from: UnsafeRawBufferPointer(host))
        }
    }

    /// Copies `count` bytes of guest memory out.
    public func read(_ address: GuestAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
        // Before anything is allocated: the count can be a guest's.
        try walk(.read, address, count) { _, _ in }
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(GuestMemoryError) in
            try read(address, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return bytes
    }

    /// Copies one value of a trivial type out, in the byte order of x86.
    public func load<Value: BitwiseCopyable>(
        _ address: GuestAddress, as type: Value.Type
    ) throws(GuestMemoryError) -> Value {
        try withUnsafeTemporaryAllocation(of: type, capacity: 1) { (storage) throws(GuestMemoryError) in
            try read(address, into: UnsafeMutableRawBufferPointer(storage))
            // SAFETY: `Value` is bitwise copyable, and `read` has overwritten all of its bytes.
            return storage[0]
        }
    }

    /// Copies `bytes` into guest memory.
    public func write(_ bytes: UnsafeRawBufferPointer, at address: GuestAddress) throws(GuestMemoryError) {
        try walk(.write, address, bytes.count) { host, done in
            host.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<(done + host.count)]))
        }
    }

    /// Copies `bytes` into guest memory.
    public func write(_ bytes: [UInt8], at address: GuestAddress) throws(GuestMemoryError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(GuestMemoryError) in
            try write(UnsafeRawBufferPointer(buffer), at: address)
        }
    }

    /// Calls `body` with the host memory behind a guest range, in one or more pieces in ascending order, each
    /// with its offset in the whole: for reading a file straight into guest memory.
    public func withHostPieces(
        _ address: GuestAddress, count: Int, _ body: (UnsafeMutableRawBufferPointer, Int) -> Void
    ) throws(GuestMemoryError) {
        try walk(.write, address, count, body)
    }

    /// Visits the host memory behind a guest range, region by region, once all of it is known to exist.
    private func walk(
        _ operation: GuestMemoryError.Operation, _ address: GuestAddress, _ count: Int,
        _ body: (UnsafeMutableRawBufferPointer, Int) -> Void
    ) throws(GuestMemoryError) {
        guard count != 0 else { return }
        guard count > 0, let whole = AddressRange(start: address, count: UInt64(count)),
            let first = regions.firstIndex(where: { $0.range.contains(address) })
        else {
            throw GuestMemoryError(
                operation: operation, address: address, count: UInt64(max(count, 0)), kind: .notMapped)
        }
        var end = first
        while regions[end].range.last < whole.last {
            let next = regions[end].range.last.rawValue + 1
            guard end + 1 < regions.count, regions[end + 1].range.start.rawValue == next else {
                throw GuestMemoryError(
                    operation: operation, address: GuestAddress(next), count: UInt64(count), kind: .notMapped)
            }
            end += 1
        }
        var done = 0
        for region in regions[first...end] {
            let offset = done == 0 ? Int(address.rawValue - region.range.start.rawValue) : 0
            let piece = min(count - done, region.mapping.count - offset)
            // SAFETY: `offset + piece` is within the region's mapping, which the region keeps alive.
            body(UnsafeMutableRawBufferPointer(start: region.mapping.baseAddress + offset, count: piece), done)
            done += piece
        }
    }
}
