import VMAddressSpace

/// Which page of which block is where on the host: a pure value.
struct FaultMap: Sendable {
    /// Pages of a block that follow one another on the host.
    struct Place: Hashable, Sendable {
        let block: Int
        let firstPage: UInt64
        /// Whole pages.
        let host: Range<UInt>

        /// Where pages of the block are, as far as they are in it.
        func host(of pages: Range<UInt64>) -> Range<UInt>? {
            let count = UInt64(host.count) >> PageSize.size4K.shift
            let part = (firstPage..<(firstPage + count)).clamped(to: pages)
            guard !part.isEmpty else { return nil }
            let start = host.lowerBound + UInt((part.lowerBound - firstPage) << PageSize.size4K.shift)
            return start..<(start + UInt(UInt64(part.count) << PageSize.size4K.shift))
        }
    }

    /// Ascending and disjoint.
    let places: [Place]

    init(_ places: [Place]) {
        self.places = places.sorted { $0.host.lowerBound < $1.host.lowerBound }
    }

    /// The page at an address; nil where there is none.
    func page(at address: UInt) -> PageRun? {
        let index = places.partitioningIndex { $0.host.upperBound > address }
        guard index < places.count, places[index].host.contains(address) else { return nil }
        let place = places[index]
        let page = place.firstPage + UInt64(address - place.host.lowerBound) >> PageSize.size4K.shift
        return PageRun(block: place.block, pages: page..<(page + 1))
    }
}
