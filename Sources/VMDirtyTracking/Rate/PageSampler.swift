import VMAddressSpace
import VMMemory

/// Estimates how many pages of some regions change in a time, by the content of some of them. In each region those are
/// chosen at random, and anew each time. Nothing is written, and the guest may run.
///
/// Threads: one at a time.
struct PageSampler: Sendable {
    private struct Page {
        let address: GuestAddress
        let hash: UInt64
    }

    private let regions: [DirtyRateRegion]
    private let pagesPerGibibyte: Int
    /// Of each region, those that could be read.
    private var samples: [[Page]] = []
    private var buffer = [UInt8](repeating: 0, count: Int(PageSize.size4K.bytes))

    /// From one page alone nobody learns how much pages differ.
    private static let smallestSample = 2

    /// - Parameter pagesPerGibibyte: how many pages to look at of each GiB; at least two of a region.
    init(_ regions: [DirtyRateRegion], pagesPerGibibyte: Int) {
        self.regions = regions
        self.pagesPerGibibyte = pagesPerGibibyte
    }

    /// How many pages of a region are looked at.
    func sampleSize(of region: DirtyRateRegion) -> Int {
        let share = Double(region.pageCount) / Double((1 << 30) / PageSize.size4K.bytes)
        return max(Int((share * Double(pagesPerGibibyte)).rounded(.up)), Self.smallestSample)
    }

    /// Chooses pages and reads them.
    mutating func begin(_ memory: GuestMemory, using generator: inout some RandomNumberGenerator) {
        samples = regions.map { region in
            generator.distinctNumbers(sampleSize(of: region), below: region.pageCount).compactMap { number in
                guard let address = region.address(ofPage: number), let hash = hash(memory, address) else { return nil }
                return Page(address: address, hash: hash)
            }
        }
    }

    /// Reads them again, in the same order.
    /// - Returns: how many pages of each region have changed. A page that cannot be read any more was not looked at.
    mutating func end(_ memory: GuestMemory) -> [DirtyPageEstimate] {
        defer { samples = [] }
        return zip(regions, samples).map { region, pages in
            var changed = 0
            var sampled = 0
            for page in pages {
                guard let hash = hash(memory, page.address) else { continue }
                sampled += 1
                if hash != page.hash { changed += 1 }
            }
            return DirtyPageEstimate(changed: changed, of: sampled, among: region.pageCount)
        }
    }

    private mutating func hash(_ memory: GuestMemory, _ address: GuestAddress) -> UInt64? {
        // Copied first: what is hashed does not change meanwhile.
        buffer.withUnsafeMutableBytes { buffer in
            guard (try? memory.read(address, into: buffer)) != nil else { return nil }
            return PageHash.hash(UnsafeRawBufferPointer(buffer))
        }
    }
}
