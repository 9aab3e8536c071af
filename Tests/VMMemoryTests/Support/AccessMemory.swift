import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

/// Short ways to put guest memory together.
enum AccessMemory {
    static func range(_ start: UInt64, _ count: UInt64) throws -> MemoryRange {
        try MemoryRange(start: GuestAddress(start), count: count)
    }

    /// A region over all of a backing.
    static func region(
        _ start: UInt64, _ access: any GuestMemoryAccess, isReadOnly: Bool = false, bitmap: some Bitmap = NoBitmap()
    ) throws -> any GuestMemoryRegion {
        try MemoryRegion(range(start, access.byteCount), access, isReadOnly: isReadOnly, bitmap: bitmap)
    }

    static func make(_ regions: [any GuestMemoryRegion], name: String = "guest memory") throws -> GuestMemory {
        GuestMemory(GuestMemoryAtomic(try RegionMap(regions)), name: name)
    }

    /// One region of ordinary pages.
    static func make(at start: UInt64 = 0, pages: Int) throws -> GuestMemory {
        try make([region(start, AccessPages(pages: pages))])
    }

    /// The error that `body` throws.
    static func failure(_ body: () throws -> Void) throws -> GuestMemoryError {
        do {
            try body()
        } catch let error as GuestMemoryError {
            return error
        }
        return try #require(nil, "no GuestMemoryError was thrown")
    }

    /// Bytes that differ from their neighbours, and from those of the next seed.
    static func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
        let start = seed % 251
        return Array(longPattern[start..<(start + count)])
    }

    private static let longPattern = (0..<(1 << 18)).map { UInt8(truncatingIfNeeded: $0 % 251 + 1 + $0 >> 12) }
}

extension GuestMemory {
    /// Whether the page at a guest-physical address is marked.
    func isDirty(_ address: UInt64) -> Bool {
        let region = map.memory().retained().region(containing: GuestAddress(address))
        return region.map { $0.isDirty(at: address - $0.range.start.rawValue) } ?? false
    }

    func available(_ address: UInt64, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: count)
        let done = try bytes.withUnsafeMutableBytes { try readAvailable(GuestAddress(address), into: $0) }
        return Array(bytes[..<done])
    }

    func writeAvailable(_ bytes: [UInt8], _ address: UInt64) throws -> Int {
        try bytes.withUnsafeBytes { try writeAvailable($0, at: GuestAddress(address)) }
    }

    func read(_ pages: PagedRange, count: Int? = nil) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count ?? Int(pages.count))
        try bytes.withUnsafeMutableBytes { try read(pages, into: $0) }
        return bytes
    }

    func write(_ bytes: [UInt8], to pages: PagedRange) throws {
        try bytes.withUnsafeBytes { try write($0, to: pages) }
    }
}
