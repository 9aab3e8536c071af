import VMAddressSpace

extension GuestMemory {
    /// Copies guest memory into `buffer`, filling it.
    public func read(_ address: GuestAddress, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        guard let start = buffer.baseAddress else { return }
        try transfer(.read(into: start), address, buffer.count)
    }

    /// The most bytes that `read(_:count:)` returns: 64 MiB. An array that the host cannot provide would end the process,
    /// and guest memory can be far larger than the host's: a reservation most of which is not mapped.
    public static let longestArray = 64 << 20

    /// Copies `count` bytes of guest memory out, at most `longestArray`: more go into a buffer of the caller's
    /// (`read(_:into:)`). Nothing is allocated for a range that is longer, or not all memory.
    /// - Throws: `GuestMemoryError`, of kind `negativeCount` for one below 0, `tooLong` for one above the limit.
    public func read(_ address: GuestAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
        guard count != 0 else { return [] }
        guard count > 0 else {
            let first = guestPhysical(address)
            throw error(.read, first, 0, .negativeCount, at: first)
        }
        let first = try requireMemory(.read, address, UInt64(count))
        guard count <= Self.longestArray else {
            throw error(.read, first, UInt64(count), .tooLong(limit: UInt64(Self.longestArray)), at: first)
        }
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(GuestMemoryError) in
            try read(address, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return bytes
    }

    /// Copies `bytes` into guest memory.
    public func write(_ bytes: UnsafeRawBufferPointer, at address: GuestAddress) throws(GuestMemoryError) {
        guard let start = bytes.baseAddress else { return }
        try transfer(.write(from: start), address, bytes.count)
    }

    /// Copies `bytes` into guest memory.
    public func write(_ bytes: [UInt8], at address: GuestAddress) throws(GuestMemoryError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(GuestMemoryError) in
            try write(UnsafeRawBufferPointer(buffer), at: address)
        }
    }

    /// Sets `count` bytes to `value`.
    public func fill(_ address: GuestAddress, count: UInt64, with value: UInt8) throws(GuestMemoryError) {
        guard let length = Int(exactly: count) else {
            // No mapping is that long; a backing without one is not called for more than an `Int` counts.
            let first = try requireMemory(.fill, address, count)
            throw error(.fill, first, count, .backing(.notSupported), at: first)
        }
        try transfer(.fill(with: value), address, length)
    }

    /// Copies as much of guest memory into the front of `buffer` as can be read from `address` on.
    /// - Returns: how many bytes, at least 1 for a buffer that is not empty.
    /// - Throws: where there is not even one.
    public func readAvailable(
        _ address: GuestAddress, into buffer: UnsafeMutableRawBufferPointer
    ) throws(GuestMemoryError) -> Int {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
        return try transferAvailable(.read(into: start), address, buffer.count)
    }

    /// Copies as much of the front of `bytes` into guest memory as can be written from `address` on.
    /// - Returns: how many bytes, at least 1 for a buffer that is not empty.
    /// - Throws: where there is not even room for one.
    public func writeAvailable(
        _ bytes: UnsafeRawBufferPointer, at address: GuestAddress
    ) throws(GuestMemoryError) -> Int {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return 0 }
        return try transferAvailable(.write(from: start), address, bytes.count)
    }

    private func transferAvailable(
        _ transfer: Transfer, _ address: GuestAddress, _ count: Int
    ) throws(GuestMemoryError) -> Int {
        guard let first = start(address, 1) else { throw outOfBounds(transfer.operation, address, UInt64(count)) }
        let wanted = Int(min(UInt64(count - 1), last - address.rawValue)) + 1
        let attempt = transferAtOnce(transfer, first, wanted)
        if attempt.isDone { return wanted }
        do throws(GuestMemoryError) {
            try transferInPieces(transfer, Extent(first, wanted, asked: count), after: attempt.fault)
            return wanted
        } catch {
            guard error.completed > 0 else { throw error }
            return Int(error.completed)
        }
    }
}
