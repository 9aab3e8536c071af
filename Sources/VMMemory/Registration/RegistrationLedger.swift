import VMAddressSpace

/// What a registrar knows: the RAM there is, what of it is registered, and the chunks that a thread is at work on. A
/// value without locks or calls; the registrar keeps it behind its lock.
struct RegistrationLedger: Sendable {
    let geometry: ChunkGeometry
    /// All in the address space.
    private(set) var ram = DisjointRanges()
    /// All RAM. Each is what one call registered, or what is left of that, and in one chunk. Those of a claimed chunk are
    /// as they were when it was claimed.
    private(set) var registered = DisjointRanges()
    /// Disjoint. While a thread holds a claim, no other calls the target for these chunks.
    private var claims: [ClosedRange<UInt64>] = []

    init(geometry: ChunkGeometry) {
        self.geometry = geometry
    }

    /// How many threads are at work.
    var claimCount: Int { claims.count }

    /// What of a chunk's RAM is not registered, ascending: the calls that would complete it.
    func unregistered(in chunk: UInt64) -> [MemoryRange] {
        ram.clipped(to: geometry.range(of: chunk)).flatMap { registered.gaps(in: $0) }
    }

    /// Takes chunks for the calling thread alone. All at once: a thread that holds some never waits for more, so none
    /// can wait for each other.
    /// - Returns: false, and nothing is taken, where another thread has one of them.
    mutating func claim(_ chunks: ClosedRange<UInt64>) -> Bool {
        guard !claims.contains(where: { $0.overlaps(chunks) }) else { return false }
        claims.append(chunks)
        return true
    }

    /// Ends a claim.
    mutating func release(_ chunks: ClosedRange<UInt64>) {
        claims.removeAll { $0 == chunks }
    }

    mutating func markRegistered(_ ranges: [MemoryRange]) {
        for range in ranges { registered.insert(range) }
    }

    mutating func markUnregistered(_ ranges: [MemoryRange]) {
        for range in ranges { registered.remove(range) }
    }

    /// Adds RAM that is in the address space and overlaps none there is.
    mutating func addRAM(_ range: MemoryRange) {
        ram.insert(range)
    }

    /// Removes RAM of which nothing is registered.
    mutating func removeRAM(_ range: MemoryRange) {
        ram.remove(range)
    }
}
