import VMAddressSpace

/// Page tables that map the first 4 GiB to themselves, writable, in pages of 2 MiB and the first 2 MiB in pages of 4 KiB,
/// of which some can be left out: one level-4 table, one level-3 table, four level-2 tables and one level-1 table, in
/// this order (Intel SDM volume 3A, section 5.5, "4-Level Paging").
///
/// The value says what is in the tables; their bytes are made where they go (`fill(_:from:)`).
public struct IdentityPageTables: Hashable, Sendable {
    fileprivate static let entriesPerTable: UInt64 = 512
    private static let directoryCount: UInt64 = 4
    /// Of all the tables.
    public static let byteCount = (3 + directoryCount) * PageSize.size4K.bytes
    /// How much is mapped in small pages, from 0 up.
    private static let smallPagesEnd = PageSize.size2M.bytes

    private static let present: UInt64 = 1 << 0
    private static let writable: UInt64 = 1 << 1
    private static let largePage: UInt64 = 1 << 7

    /// The guest-physical address of the level-4 table; the others follow it.
    public let base: GuestAddress
    /// Small pages that are not there, and others above them.
    private let absent: MemoryRange?
    private let absentAbove: MemoryRange?

    /// - Parameters:
    ///   - base: where the tables go; a multiple of 4 KiB, `byteCount` bytes below 2^64.
    ///   - absent: pages in the first 2 MiB that are not to be there.
    ///   - absentAbove: others above them.
    init(at base: GuestAddress, without absent: MemoryRange? = nil, _ absentAbove: MemoryRange? = nil) {
        self.base = base
        self.absent = absent
        self.absentAbove = absentAbove
    }

    /// Fills `buffer` with the bytes of the tables from `offset` on. It holds whole entries: its address, its length and
    /// `offset` are multiples of 8.
    public func fill(_ buffer: UnsafeMutableRawBufferPointer, from offset: Int) {
        let page = PageSize.size4K.bytes
        let flags = Self.present | Self.writable
        let pointer = { (table: UInt64) in base.rawValue + table * page | flags }
        var tables = EntryWriter(buffer, from: offset)

        tables.append(1, pointer(1))
        tables.endTable()

        tables.append(Self.directoryCount, pointer(2), step: page)
        tables.endTable()

        tables.append(1, pointer(2 + Self.directoryCount))
        let firstLarge = Self.smallPagesEnd | flags | Self.largePage
        tables.append(Self.directoryCount * Self.entriesPerTable - 1, firstLarge, step: PageSize.size2M.bytes)

        var address: UInt64 = 0
        func leaveOut(_ hole: MemoryRange) {
            tables.append((hole.start.rawValue - address) / page, address | flags, step: page)
            tables.append(hole.count / page, 0)
            address = hole.last.rawValue + 1
        }
        if let absent { leaveOut(absent) }
        if let absentAbove { leaveOut(absentAbove) }
        tables.append((Self.smallPagesEnd - address) / page, address | flags, step: page)
    }
}

/// Writes page table entries one after the other, those of them that are in the part asked for.
private struct EntryWriter {
    private let entries: UnsafeMutableBufferPointer<UInt64>
    /// The numbers of the entries that there is room for.
    private let wanted: Range<Int>
    /// The number of the next entry.
    private var next = 0

    init(_ buffer: UnsafeMutableRawBufferPointer, from offset: Int) {
        entries = buffer.bindMemory(to: UInt64.self)
        let first = offset / MemoryLayout<UInt64>.size
        wanted = first..<(first + entries.count)
    }

    /// Appends `count` entries, each `step` more than the one before.
    mutating func append(_ count: UInt64, _ first: UInt64, step: UInt64 = 0) {
        let run = next..<(next + Int(count))
        next = run.upperBound
        let part = run.clamped(to: wanted)
        guard !part.isEmpty else { return }
        var entry = first &+ UInt64(part.lowerBound - run.lowerBound) &* step
        // SAFETY: `part` is in `wanted`, which has as many numbers as there are entries, so the indices are in bounds.
        for index in (part.lowerBound - wanted.lowerBound)..<(part.upperBound - wanted.lowerBound) {
            entries[index] = entry.littleEndian
            entry &+= step
        }
    }

    /// Appends what is left of a table, mapping nothing.
    mutating func endTable() {
        let used = UInt64(next) % IdentityPageTables.entriesPerTable
        append(IdentityPageTables.entriesPerTable - used, 0)
    }
}
