import VMAddressSpace

/// A piece of a guest's memory that migrates as one: what lies behind regions, whether or not the guest sees it now. The
/// name is QEMU's.
///
/// Pages are numbered by their place in the block, not by guest-physical addresses, of which one page may have several.
public struct RAMBlock: Hashable, Sendable {
    /// For people, and to find the same block on the other side.
    public let name: String
    /// In pages of 4 KiB.
    public let pageCount: UInt64

    public init(name: String, pageCount: UInt64) {
        self.name = name
        self.pageCount = pageCount
    }

    /// In bytes.
    public var byteCount: UInt64 { pageCount << PageSize.size4K.shift }
}

extension [RAMBlock] {
    /// The memory of backings, each under a name that no other has.
    init(_ backings: some Sequence<(name: String, byteCount: UInt64)>) {
        self = []
        var names: Set<String> = []
        for backing in backings {
            var name = backing.name
            var number = 1
            while !names.insert(name).inserted {
                number += 1
                name = "\(backing.name) #\(number)"
            }
            append(RAMBlock(name: name, pageCount: backing.byteCount >> PageSize.size4K.shift))
        }
    }
}

/// Pages of a block that follow one another.
public struct PageRun: Hashable, Sendable {
    /// Which block, by its place in the list of blocks.
    public var block: Int
    /// The numbers of the pages in the block.
    public var pages: Range<UInt64>

    public init(block: Int, pages: Range<UInt64>) {
        self.block = block
        self.pages = pages
    }

    /// In bytes, in the block.
    public var bytes: Range<UInt64> {
        (pages.lowerBound << PageSize.size4K.shift)..<(pages.upperBound << PageSize.size4K.shift)
    }
}
