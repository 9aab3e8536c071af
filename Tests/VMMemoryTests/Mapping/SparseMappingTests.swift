import Glibc
import SystemPackage
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096

/// The first byte of each page.
private func firstBytes(_ mapping: SparseMapping, _ pages: Range<Int>) -> [UInt8] {
    pages.map { mapping.baseAddress.load(fromByteOffset: $0 * 4096, as: UInt8.self) }
}

private func fill(_ mapping: SparseMapping, _ pages: Range<Int>, _ value: UInt8) {
    memset(mapping.baseAddress + pages.lowerBound * 4096, CInt(value), pages.count * 4096)
}

private func access(_ mapping: SparseMapping, _ pages: Range<Int>) -> String {
    pages.map {
        let address = mapping.baseAddress + $0 * 4096
        return Access.canWrite(address) ? "w" : Access.canRead(address) ? "r" : "-"
    }.joined()
}

@Suite("Sparse mappings")
struct SparseMappingTests {
    @Test("Memory appears where it is mapped and nowhere else")
    func map() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 2 * page, count: 3 * page, .anonymous)
        try sparse.map(offset: 6 * page, count: page, .anonymous, protection: .readOnly)
        try sparse.map(offset: 8 * page, count: page, .anonymous, protection: .none)
        #expect(access(sparse, 0..<16) == "--www-r---------")
        #expect(
            sparse.pieces == [
                MappedPiece(
                    range: 2 * page..<5 * page, backing: .anonymous, backingOffset: 0, protection: .readWrite,
                    transparentHugePages: false),
                MappedPiece(
                    range: 6 * page..<7 * page, backing: .anonymous, backingOffset: 0, protection: .readOnly,
                    transparentHugePages: false),
                MappedPiece(
                    range: 8 * page..<9 * page, backing: .anonymous, backingOffset: 0, protection: .none,
                    transparentHugePages: false),
            ])
    }

    @Test("One file can be mapped in several places")
    func files() throws {
        let file = SharedMemoryFile(try MemoryFile(memfd: "aliased", byteCount: 4 * page))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 4 * page, .file(file, .shared))
        try sparse.map(offset: 8 * page, count: 2 * page, .file(file, .shared), backingOffset: page)
        try sparse.map(offset: 12 * page, count: 2 * page, .file(file, .copyOnWrite), backingOffset: 2 * page)
        fill(sparse, 1..<2, 0x11)
        fill(sparse, 9..<10, 0x22)
        fill(sparse, 13..<14, 0x33)
        #expect(firstBytes(sparse, 0..<4) == [0, 0x11, 0x22, 0])
        #expect(firstBytes(sparse, 8..<10) == [0x11, 0x22])
        #expect(firstBytes(sparse, 12..<14) == [0x22, 0x33])
    }

    @Test("A file stays open as long as a piece of it is mapped")
    func fileLifetime() throws {
        weak var weakFile: SharedMemoryFile?
        let sparse = try SparseMapping(byteCount: 16 * page)
        do {
            let file = SharedMemoryFile(try MemoryFile(memfd: "kept", byteCount: 4 * page))
            weakFile = file
            try sparse.map(offset: 0, count: 4 * page, .file(file, .shared))
        }
        try sparse.unmap(offset: 0, count: 3 * page)
        #expect(weakFile != nil)
        try sparse.unmap(offset: 3 * page, count: page)
        #expect(weakFile == nil)
    }

    @Test("What is mapped is not mapped over unless that is asked for")
    func overlap() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 4 * page, count: 4 * page, .anonymous)
        fill(sparse, 4..<8, 0x11)
        let before = sparse.pieces
        for (offset, count, overlap) in [
            (3, 2, 4..<5), (4, 4, 4..<8), (5, 1, 5..<6), (7, 4, 7..<8), (0, 16, 4..<8),
        ] as [(UInt64, UInt64, Range<UInt64>)] {
            let error = refusal { try sparse.map(offset: offset * page, count: count * page, .anonymous) }
            let extent = HostMemoryError.Extent(offset: offset * page, count: count * page)
            let bytes = overlap.lowerBound * page..<overlap.upperBound * page
            #expect(error == HostMemoryError(.map, extent, .alreadyMapped(bytes)))
        }
        #expect(sparse.pieces == before)
        #expect(access(sparse, 0..<16) == "----wwww--------")
        #expect(firstBytes(sparse, 4..<8) == [0x11, 0x11, 0x11, 0x11])
    }

    @Test("Replacing takes the place of whatever was in the range, and cuts what reaches beyond")
    func replacing() throws {
        let file = SharedMemoryFile(try MemoryFile(memfd: "replacing", byteCount: 16 * page))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 6 * page, .file(file, .shared))
        try sparse.map(offset: 8 * page, count: 4 * page, .file(file, .shared), backingOffset: 8 * page)
        fill(sparse, 0..<6, 0x11)
        fill(sparse, 8..<12, 0x22)
        try sparse.map(offset: 4 * page, count: 6 * page, .anonymous, protection: .readWrite, replacing: true)
        #expect(firstBytes(sparse, 0..<12) == [0x11, 0x11, 0x11, 0x11, 0, 0, 0, 0, 0, 0, 0x22, 0x22])
        #expect(sparse.pieces.map(\.range) == [0..<4 * page, 4 * page..<10 * page, 10 * page..<12 * page])
        // What was covered can come back, and continues its old neighbours.
        try sparse.map(
            offset: 4 * page, count: 6 * page, .file(file, .shared), backingOffset: 4 * page, replacing: true)
        #expect(firstBytes(sparse, 0..<12) == [0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0, 0, 0x22, 0x22, 0x22, 0x22])
        #expect(sparse.pieces.map(\.range) == [0..<12 * page])
    }

    @Test("A replacement that is refused leaves what it should have replaced")
    func refusedReplacement() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x22)
        let readOnly = SharedMemoryFile(try MemoryFile(path: FilePath(temporary.path), access: .readOnly))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 4 * page, .anonymous)
        fill(sparse, 0..<4, 0x11)
        let before = sparse.pieces
        let short = refusal {
            try sparse.map(offset: 0, count: 3 * page, .file(readOnly, .copyOnWrite), replacing: true)
        }
        let unwritable = refusal {
            try sparse.map(offset: 0, count: 2 * page, .file(readOnly, .shared), replacing: true)
        }
        #expect(short?.reason == .fileTooShort(length: 8192) && unwritable?.reason == .fileIsReadOnly)
        #expect(sparse.pieces == before)
        #expect(firstBytes(sparse, 0..<4) == [0x11, 0x11, 0x11, 0x11])
    }

    @Test("Any part can be unmapped, and its addresses stay reserved")
    func unmap() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 8 * page, .anonymous)
        fill(sparse, 0..<8, 0x11)
        try sparse.unmap(offset: 2 * page, count: 3 * page)
        #expect(access(sparse, 0..<8) == "ww---www")
        #expect(sparse.pieces.map(\.range) == [0..<2 * page, 5 * page..<8 * page])
        let area = try #require(ProcessMaps.area(at: sparse.baseAddress + 2 * 4096))
        #expect(area.permissions == "---p")
        try sparse.map(offset: 2 * page, count: 3 * page, .anonymous)
        #expect(firstBytes(sparse, 0..<8) == [0x11, 0x11, 0, 0, 0, 0x11, 0x11, 0x11])
        #expect(sparse.pieces.map(\.range) == [0..<8 * page])
    }

    @Test("Unmapping, protecting, decommitting and populating what is not mapped is refused, all of it or a page")
    func notMapped() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 2 * page, count: 2 * page, .anonymous)
        try sparse.map(offset: 5 * page, count: 2 * page, .anonymous)
        fill(sparse, 2..<4, 0x11)
        let before = sparse.pieces
        for (offset, count, gap) in [
            (0, 1, 0..<1), (0, 3, 0..<2), (3, 3, 4..<5), (6, 3, 7..<9), (0, 16, 0..<2),
        ] as [(UInt64, UInt64, Range<UInt64>)] {
            let (offset, count) = (offset * page, count * page)
            for error in [
                refusal { try sparse.unmap(offset: offset, count: count) },
                refusal { try sparse.protect(offset: offset, count: count, .none) },
                refusal { try sparse.decommit(offset: offset, count: count) },
                refusal { try sparse.populate(offset: offset, count: count) },
            ] {
                #expect(error?.reason == .notMapped(gap.lowerBound * page..<gap.upperBound * page))
            }
        }
        #expect(sparse.pieces == before)
        #expect(firstBytes(sparse, 2..<4) == [0x11, 0x11])
    }

    @Test(
        "A range must be whole pages within the reservation",
        arguments: [
            (0, 0, .empty),
            (1, page, .misaligned(.size4K)),
            (page, 1, .misaligned(.size4K)),
            (15 * page, 2 * page, .outOfBounds(limit: 16 * page)),
            (16 * page, page, .outOfBounds(limit: 16 * page)),
            (page, .max - 4095, .outOfBounds(limit: 16 * page)),
            (.max - 4095, page, .outOfBounds(limit: 16 * page)),
            (1 << 63, 1 << 63, .outOfBounds(limit: 16 * page)),
        ] as [(UInt64, UInt64, HostMemoryError.Reason)])
    func badRanges(offset: UInt64, count: UInt64, reason: HostMemoryError.Reason) throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        let file = MemoryBacking.shared(try MemoryFile(memfd: "bad ranges", byteCount: 16 * page))
        let extent = HostMemoryError.Extent(offset: offset, count: count)
        for (error, operation) in [
            (refusal { try sparse.map(offset: offset, count: count, .anonymous) }, .map),
            (refusal { try sparse.map(offset: offset, count: count, file) }, .map),
            (refusal { try sparse.unmap(offset: offset, count: count) }, .unmap),
            (refusal { try sparse.protect(offset: offset, count: count, .none) }, .protect),
            (refusal { try sparse.decommit(offset: offset, count: count) }, .decommit),
            (refusal { try sparse.populate(offset: offset, count: count) }, .populate),
            (refusal { _ = try sparse.residentByteCount(offset: offset, count: count) }, .countResident),
        ] as [(HostMemoryError?, HostMemoryError.Operation)] {
            #expect(error == HostMemoryError(operation, extent, reason))
        }
        #expect(sparse.pieces.isEmpty)
    }

    @Test("Protection changes across pieces and parts of them")
    func protect() throws {
        let file = SharedMemoryFile(try MemoryFile(memfd: "protected", byteCount: 4 * page))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 4 * page, .anonymous)
        try sparse.map(offset: 4 * page, count: 4 * page, .file(file, .shared))
        try sparse.protect(offset: 2 * page, count: 4 * page, .readOnly)
        #expect(access(sparse, 0..<8) == "wwrrrrww")
        #expect(sparse.pieces.map(\.protection) == [.readWrite, .readOnly, .readOnly, .readWrite])
        try sparse.protect(offset: 0, count: 8 * page, .readWrite)
        #expect(access(sparse, 0..<8) == "wwwwwwww")
        #expect(sparse.pieces.map(\.range) == [0..<4 * page, 4 * page..<8 * page])
    }

    @Test("Pieces of a read-only file mapped shared cannot be made writable; nothing in the range changes then")
    func protectReadOnly() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x11)
        let file = SharedMemoryFile(try MemoryFile(path: FilePath(temporary.path), access: .readOnly))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: page, .anonymous, protection: .readOnly)
        try sparse.map(offset: page, count: 2 * page, .file(file, .shared), protection: .readOnly)
        let protect = refusal { try sparse.protect(offset: 0, count: 3 * page, .readWrite) }
        let decommit = refusal { try sparse.decommit(offset: 0, count: 3 * page) }
        #expect(protect?.reason == .fileIsReadOnly && decommit?.reason == .fileIsReadOnly)
        #expect(access(sparse, 0..<3) == "rrr")
        #expect(temporary.contents.allSatisfy { $0 == 0x11 })
    }

    @Test("Decommitted memory reads zero, or as the file it is a copy of, whatever its protection")
    func decommit() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x11)
        let copy = SharedMemoryFile(try MemoryFile(path: FilePath(temporary.path), access: .readOnly))
        let shared = SharedMemoryFile(try MemoryFile(memfd: "decommitted", byteCount: 8 * page))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 2 * page, .anonymous)
        try sparse.map(offset: 2 * page, count: 2 * page, .file(copy, .copyOnWrite))
        try sparse.map(offset: 4 * page, count: 2 * page, .file(shared, .shared), backingOffset: 4 * page)
        fill(sparse, 0..<6, 0xff)
        try sparse.protect(offset: 0, count: 6 * page, .readOnly)
        try sparse.decommit(offset: page, count: 4 * page)
        #expect(firstBytes(sparse, 0..<6) == [0xff, 0, 0x11, 0x11, 0, 0xff])
        try sparse.protect(offset: 0, count: 6 * page, .readWrite)
        try sparse.map(offset: 8 * page, count: 8 * page, .file(shared, .shared))
        #expect(firstBytes(sparse, 12..<14) == [0, 0xff])
    }

    @Test("Populating provides the pages of all pieces in the range")
    func populate() throws {
        let file = SharedMemoryFile(try MemoryFile(memfd: "populated in place", byteCount: 4 * page))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 4 * page, .anonymous)
        try sparse.map(offset: 4 * page, count: 4 * page, .file(file, .shared), protection: .readOnly)
        try sparse.populate(offset: 2 * page, count: 4 * page)
        let resident = try sparse.residentByteCount(offset: 0, count: 16 * page)
        #expect(resident == 4 * 4096)
    }

    @Test("Pages that can only be read are populated by reading: no file's page is copied. Others are left alone")
    func populateReadOnly() throws {
        let file = SharedMemoryFile(try MemoryFile(memfd: "rom", byteCount: 4 * page))
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 4 * page, .file(file, .copyOnWrite), protection: .readOnly)
        try sparse.map(offset: 4 * page, count: 2 * page, .anonymous, protection: .readOnly)
        try sparse.map(offset: 6 * page, count: 2 * page, .anonymous, protection: .none)
        try sparse.map(offset: 8 * page, count: 2 * page, .anonymous)
        try sparse.populate(offset: 0, count: 10 * page)
        #expect(try sparse.residentByteCount(offset: 0, count: 6 * page) == 6 * 4096)
        #expect(try sparse.residentByteCount(offset: 6 * page, count: 2 * page) == 0)
        #expect(try sparse.residentByteCount(offset: 8 * page, count: 2 * page) == 2 * 4096)
        // A copy would not see this.
        let view = try HostMapping(file.file, count: 4 * page)
        view.baseAddress.storeBytes(of: 0x77, as: UInt8.self)
        #expect(firstBytes(sparse, 0..<1) == [0x77])
    }

    @Test("What had two protections for a while is one piece again")
    func protectAndBack() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 12 * page, .anonymous)
        let pieces = sparse.pieces
        for pages in [0..<4, 4..<8, 8..<12, 0..<12] as [Range<UInt64>] {
            let (offset, count) = (pages.lowerBound * page, UInt64(pages.count) * page)
            for protection: MemoryProtection in [.readOnly, .none] {
                try sparse.protect(offset: offset, count: count, protection)
                #expect(sparse.pieces.first { $0.range.contains(offset) }?.range == offset..<offset + count)
            }
            try sparse.protect(offset: offset, count: count, .readWrite)
            #expect(sparse.pieces == pieces)
        }
    }

    @Test("A file that was truncated after it was mapped cannot be populated or decommitted")
    func truncated() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x11)
        let sparse = try SparseMapping(byteCount: 16 * page)
        let backing = MemoryBacking.shared(try MemoryFile(path: FilePath(temporary.path), access: .readWrite))
        try sparse.map(offset: 0, count: 2 * page, backing)
        try #require(Glibc.truncate(temporary.path, 4096) == 0)
        let populate = refusal { try sparse.populate(offset: 0, count: 2 * page) }
        let decommit = refusal { try sparse.decommit(offset: 0, count: 2 * page) }
        let map = refusal { try sparse.map(offset: 8 * page, count: 2 * page, backing) }
        #expect(populate?.reason == .system(.badAddress))
        #expect(populate?.description.contains("truncated") == true)
        #expect(decommit?.reason == .fileTooShort(length: 4096))
        #expect(map?.reason == .fileTooShort(length: 4096))
        #expect(firstBytes(sparse, 0..<1) == [0x11])
        try sparse.unmap(offset: 0, count: 2 * page)
    }

    @Test("Transparent huge pages are asked for where they are wanted")
    func transparentHugePages() throws {
        let sparse = try SparseMapping(byteCount: 1 << 23)
        try sparse.map(offset: 1 << 21, count: 1 << 21, .anonymous, transparentHugePages: true)
        let area = try #require(ProcessMaps.area(at: sparse.baseAddress + (1 << 21)))
        #expect(area.flags.contains("hg"))
        #expect(UInt(bitPattern: sparse.baseAddress) % (1 << 21) == 0)
        #expect(sparse.pieces.map(\.transparentHugePages) == [true])
    }

    @Test(
        "At the host's limit on mappings, changes are refused by name and leave things as they are",
        .disabled(if: ThreadSanitizer.isActive, "the sanitizer takes most addresses and mappings"))
    func mappingLimit() async {
        await #expect(processExitsWith: .success) {
            let sparse = try SparseMapping(byteCount: 1 << 30)
            try sparse.map(offset: 0, count: 8 * page, .anonymous)
            fill(sparse, 0..<8, 0x11)
            let pieces = sparse.pieces

            // Nothing but the changes in between: a thread or an array that needs a mapping would end the process.
            let filling = FilledMappings()
            let errors = [
                refusal { try sparse.map(offset: 1 << 20, count: page, .anonymous) },
                refusal {
                    try sparse.map(offset: 3 * page, count: page, .anonymous, protection: .none, replacing: true)
                },
                refusal { try sparse.unmap(offset: 2 * page, count: page) },
                refusal { try sparse.protect(offset: page, count: page, .readOnly) },
                refusal { _ = try HostMapping(anonymous: page, options: .guardPages) },
            ]
            // A whole piece needs no further mapping.
            let whole = refusal { try sparse.protect(offset: 0, count: 8 * page, .readOnly) }
            _ = consume filling

            let limit = try #require(Int(ProcessMaps.text(of: "/proc/sys/vm/max_map_count").prefix { $0.isNumber }))
            for error in errors { #expect(error?.reason == .tooManyMappings(limit: limit)) }
            #expect(errors[0]?.description.contains("vm.max_map_count") == true)
            #expect(whole == nil)
            #expect(access(sparse, 0..<8) == "rrrrrrrr")
            #expect(firstBytes(sparse, 0..<8) == [UInt8](repeating: 0x11, count: 8))
            #expect(sparse.pieces == pieces.map { $0.with(.readOnly) })
        }
    }
}
