import VMAddressSpace

/// Page tables that map the first 4 GiB to themselves, writable, in pages of 2 MiB and the first 2 MiB in pages of 4 KiB,
/// of which some can be left out: one level-4 table, one level-3 table, four level-2 tables and one level-1 table, in
/// this order (Intel SDM volume 3A, section 5.5, "4-Level Paging").
struct IdentityPageTables {
    private static let entriesPerTable: UInt64 = 512
    private static let directoryCount: UInt64 = 4
    static let byteCount = (3 + directoryCount) * PageSize.size4K.bytes
    /// How much is mapped in small pages, from 0 up.
    static let smallPagesEnd = PageSize.size2M.bytes

    private static let present: UInt64 = 1 << 0
    private static let writable: UInt64 = 1 << 1
    private static let largePage: UInt64 = 1 << 7

    let bytes: [UInt8]

    /// - Parameters:
    ///   - base: where the tables go; a multiple of 4096, `byteCount` bytes below 2^64.
    ///   - absent: pages below `smallPagesEnd` that are not to be there.
    init(at base: GuestAddress, without absent: [MemoryRange]) {
        let page = PageSize.size4K.bytes
        let pointer = { (table: UInt64) in base.rawValue + table * page | Self.present | Self.writable }
        bytes = [UInt8](unsafeUninitializedCapacity: Int(Self.byteCount)) { buffer, count in
            // SAFETY: every entry stored is one of the `byteCount` bytes there is room for, and all are initialized.
            let entries = UnsafeMutableRawBufferPointer(buffer)
            entries.initializeMemory(as: UInt8.self, repeating: 0)
            let set = { (index: UInt64, entry: UInt64) in
                entries.storeBytes(of: entry.littleEndian, toByteOffset: Int(index * 8), as: UInt64.self)
            }
            set(0, pointer(1))
            for directory in 0..<Self.directoryCount {
                set(Self.entriesPerTable + directory, pointer(2 + directory))
            }
            for index in 0..<(Self.directoryCount * Self.entriesPerTable) {
                let address = index * PageSize.size2M.bytes
                set(2 * Self.entriesPerTable + index, address | Self.present | Self.writable | Self.largePage)
            }
            set(2 * Self.entriesPerTable, pointer(2 + Self.directoryCount))
            for index in 0..<Self.entriesPerTable {
                let address = index * page
                guard !absent.contains(where: { $0.contains(GuestAddress(address)) }) else { continue }
                set((2 + Self.directoryCount) * Self.entriesPerTable + index, address | Self.present | Self.writable)
            }
            count = buffer.count
        }
    }
}
