import VMAddressSpace

extension GuestMemory {
    /// A handle to a part of this memory, whose address 0 is the part's first byte; it reaches no other. What is there may
    /// change, as with this handle.
    ///
    /// Where the part lies in one region, what lies behind that is asked first for a handle of its own making, which then
    /// stands for the memory that is there now.
    /// - Parameter name: in errors, for a handle that the backing does not make; nil for that of this one.
    /// - Parameter allowsPreemptiveLocking: whether pages may stay locked as long as the result lives.
    /// - Throws: `GuestMemoryError` where not all of it is memory, or what lies behind it refuses.
    public func subrange(
        _ range: AddressRange, name: String? = nil, allowsPreemptiveLocking: Bool = false
    ) throws(GuestMemoryError) -> GuestMemory {
        guard range.last.rawValue <= last else { throw outOfBounds(.subrange, range.start, range.count) }
        // The count of all addresses is one too low, but the last two addresses are in one page.
        let first = try requireMemory(.subrange, range.start, range.count)
        let length = range.last.rawValue - range.start.rawValue
        let region = map.memory().withMap { $0.region(containing: GuestAddress(first)) }
        if let region, length <= region.range.last.rawValue - first {
            do throws(GuestMemoryBackingError) {
                let offset = region.accessOffset + (first - region.range.start.rawValue)
                let made = try region.access.subrange(
                    offset: offset, count: range.count, allowsPreemptiveLocking: allowsPreemptiveLocking)
                if let made { return made }
            } catch let failure {
                throw error(.subrange, first, range.count, .backing(failure), at: first)
            }
        }
        return GuestMemory(map, name: name ?? self.name, base: first, last: length)
    }
}
