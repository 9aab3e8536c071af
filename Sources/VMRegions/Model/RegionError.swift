import VMAddressSpace

/// Why regions cannot be changed as asked. Nothing has changed then.
public enum RegionError: Error, Hashable, Sendable {
    /// A region as errors name it.
    public struct Name: Hashable, Sendable, CustomStringConvertible {
        public let name: String
        public let range: MemoryRange

        init(_ region: Region) {
            self.name = region.name
            self.range = region.range
        }

        init(_ name: String, _ range: MemoryRange) {
            self.name = name
            self.range = range
        }

        public var description: String { "region \"\(name)\" at \(range)" }
    }

    /// There is no region with this number (any more).
    case noSuchRegion(RegionID)
    /// A new region would have the number that another has, or had.
    case numberInUse(RegionID)
    /// A new region would have a number that is not from `RegionPlanner.makeRegionID()`.
    case foreignNumber(RegionID)
    /// There is no backing with this number (any more).
    case noSuchBacking(BackingID)
    /// The numbers make no range.
    case badRange(String, MemoryRangeError)
    /// Under `OverlapPolicy.nested`, the two may not overlap as they would.
    case overlap(Name, with: Name)
    /// The region would end above what the guest can address.
    case beyondAddressWidth(Name, bits: Int)
    /// A mapping, or the range of mappings to remove, is empty or is not made of whole pages.
    case misalignedMapping(Name, offset: UInt64, count: UInt64)
    /// A mapping, or the range of mappings to remove, ends after the region does.
    case outsideRegion(Name, offset: UInt64, count: UInt64)
    /// A mapping ends after its backing does, which has `byteCount` bytes.
    case beyondBacking(Name, backing: String, offset: UInt64, count: UInt64, byteCount: UInt64)
    /// A mapping would be writable, and its backing is not.
    case readOnlyBacking(Name, backing: String)
    /// A mapping would put pages at a second place which can only be at one: those of `backing` from `offset` on are in
    /// another mapping already.
    case mappedTwice(Name, backing: String, offset: UInt64, other: Name)
    /// The backing cannot be removed while something of it is mapped.
    case backingInUse(String, by: Name)
}

extension RegionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchRegion(let id): "there is no region \(id)"
        case .numberInUse(let id): "there is or was a region \(id) already"
        case .foreignNumber(let id): "\(id) is not a number that the planner made for a region"
        case .noSuchBacking(let id): "there is no backing \(id)"
        case .badRange(let name, let error): "region \"\(name)\": \(error)"
        case .overlap(let new, let existing):
            "\(new) overlaps \(existing); with nested regions the one with the higher priority must contain the other, "
                + "and equal ones must have the same range"
        case .beyondAddressWidth(let region, let bits):
            "\(region) ends above the \(bits) bits that guest-physical addresses have"
        case .misalignedMapping(let region, let offset, let count):
            "\(region): \(count) bytes at offset \(hexadecimal(offset)) are not whole pages of \(PageSize.size4K)"
        case .outsideRegion(let region, let offset, let count):
            "\(region): \(count) bytes at offset \(hexadecimal(offset)) end after the region"
        case .beyondBacking(let region, let backing, let offset, let count, let byteCount):
            "\(region): \(count) bytes at offset \(hexadecimal(offset)) of \"\(backing)\" end after its \(byteCount) bytes"
        case .readOnlyBacking(let region, let backing):
            "\(region): \"\(backing)\" is read-only and cannot be mapped writable"
        case .mappedTwice(let region, let backing, let offset, let other):
            "\(region): the page at offset \(hexadecimal(offset)) of \"\(backing)\" is in \(other) already, and can only "
                + "be at one place; use a shared file, such as a memfd"
        case .backingInUse(let backing, let region):
            "the backing \"\(backing)\" cannot be removed: \(region) has a mapping of it"
        }
    }
}

/// As addresses are printed.
func hexadecimal(_ number: UInt64) -> String {
    "0x" + String(number, radix: 16)
}
