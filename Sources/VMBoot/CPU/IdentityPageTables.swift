import VMAddressSpace

/// Page tables that map the first 4 GiB to themselves, writable, in pages of 2 MiB: one level-4 table, one
/// level-3 table and four level-2 tables, in this order (Intel SDM volume 3A, section 5.5, "4-Level Paging").
struct IdentityPageTables {
    private static let entriesPerTable: UInt64 = 512
    private static let directoryCount: UInt64 = 4
    static let byteCount = (2 + directoryCount) * PageSize.size4K.bytes

    private static let present: UInt64 = 1 << 0
    private static let writable: UInt64 = 1 << 1
    private static let largePage: UInt64 = 1 << 7

    let bytes: [UInt8]

    /// - Parameter base: where the tables go; a multiple of 4096, `byteCount` bytes below 2^64.
    init(at base: GuestAddress) {
        let page = PageSize.size4K.bytes
        let pointer = { (table: UInt64) in base.rawValue + table * page | Self.present | Self.writable }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(Self.byteCount))
        for index in 0..<Self.entriesPerTable {
            bytes.appendLittleEndian(index == 0 ? pointer(1) : 0)
        }
        for index in 0..<Self.entriesPerTable {
            bytes.appendLittleEndian(index < Self.directoryCount ? pointer(2 + index) : 0)
        }
        for index in 0..<(Self.directoryCount * Self.entriesPerTable) {
            let address = index * PageSize.size2M.bytes
            bytes.appendLittleEndian(address | Self.present | Self.writable | Self.largePage)
        }
        self.bytes = bytes
    }
}
