import Glibc

@testable import VMMemory

/// A reservation of 64 pages, of which the first 16 are mapped in all the ways there are; each mapped page starts with its
/// number, from 1 on.
struct MixedPieces {
    static let page: UInt64 = 4096
    static let pageCount = 16
    static let byteCount = UInt64(pageCount) * page

    let mapping: SparseMapping
    let shared: SharedMemoryFile
    let copied: SharedMemoryFile

    init() throws {
        let page = Self.page
        mapping = try SparseMapping(byteCount: 64 * page)
        shared = SharedMemoryFile(try MemoryFile(memfd: "shared", byteCount: 8 * page))
        copied = SharedMemoryFile(try MemoryFile(memfd: "copied", byteCount: 8 * page))
        // Pages of one piece that the kernel has in several mappings: they were touched before they were neighbours.
        for offset: UInt64 in [0, 2, 4] {
            try mapping.map(offset: offset * page, count: page, .anonymous)
            memset(mapping.baseAddress + Int(offset * page), 1, 8)
        }
        for offset: UInt64 in [1, 3] { try mapping.map(offset: offset * page, count: page, .anonymous) }
        try mapping.map(offset: 5 * page, count: 3 * page, .anonymous)
        try mapping.map(offset: 8 * page, count: 4 * page, .file(shared, .shared), backingOffset: 2 * page)
        try mapping.map(offset: 12 * page, count: 4 * page, .file(copied, .copyOnWrite), backingOffset: 3 * page)
        for number in 0..<Self.pageCount { store(UInt64(number) + 1, atPage: number) }
        try mapping.protect(offset: 6 * page, count: 3 * page, .readOnly)
        try mapping.protect(offset: 14 * page, count: page, .none)
    }

    private func store(_ value: UInt64, atPage number: Int) {
        mapping.baseAddress.storeBytes(of: value, toByteOffset: number * 4096, as: UInt64.self)
    }

    /// The numbers at the starts of the pages from `offset` on; nil for one that cannot be read.
    static func numbers(_ mapping: SparseMapping, at offset: UInt64 = 0) -> [UInt64?] {
        (0..<pageCount).map { number in
            let address = mapping.baseAddress + Int(offset) + number * 4096
            return Access.canRead(address) ? address.load(as: UInt64.self) : nil
        }
    }

    /// What each page can be accessed for.
    static func access(_ mapping: SparseMapping, at offset: UInt64 = 0) -> String {
        (0..<pageCount).map { number in
            let address = mapping.baseAddress + Int(offset) + number * 4096
            return Access.canWrite(address) ? "w" : Access.canRead(address) ? "r" : "-"
        }.joined()
    }

    /// What `numbers` is where nothing has happened to the pages.
    static let expectedNumbers = (1...16 as ClosedRange<UInt64>).map { $0 == 15 ? nil : Optional($0) }
    static let expectedAccess = "wwwwwwrrrwwwww-w"
}

extension [MappedPiece] {
    /// These further on, or back.
    func moved(by distance: Int64) -> [MappedPiece] {
        map { piece in
            var piece = piece
            let start = UInt64(Int64(piece.range.lowerBound) + distance)
            piece.range = start..<start + UInt64(piece.range.count)
            return piece
        }
    }
}
