import Glibc
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096
private let all = MixedPieces.byteCount

@Suite("Moving pages between sparse mappings")
struct SparseMappingMoveTests {
    @Test(
        "Pages of all kinds are moved and moved back, and keep what they hold and what they are",
        arguments: [false, true])
    func thereAndBack(areUnused: Bool) throws {
        try Self.checkThereAndBack(.ofKernel, areUnused: areUnused)
    }

    @Test("A kernel that cannot keep addresses moves pages as well")
    func olderKernel() async {
        // In a process of its own: no other thread is to map anything between two calls.
        await #expect(processExitsWith: .success) {
            for areUnused in [false, true] {
                try SparseMappingMoveTests.checkThereAndBack(.none, areUnused: areUnused)
                try SparseMappingMoveTests.checkThereAndBack(
                    MoveSupport(anonymous: true, files: false), areUnused: areUnused)
            }
        }
    }

    private static func checkThereAndBack(_ support: MoveSupport, areUnused: Bool) throws {
        let mixed = try MixedPieces()
        let (sparse, parking) = (mixed.mapping, try SparseMapping(byteCount: 64 * page))
        let pieces = sparse.pieces
        for round in 0..<3 {
            try sparse.move(
                offset: 0, count: all, to: parking, at: 40 * page, areUnused: areUnused, support: support)
            #expect(sparse.pieces.isEmpty, "round \(round)")
            #expect(MixedPieces.access(sparse) == "----------------")
            #expect(parking.pieces == pieces.moved(by: 40 * 4096))
            #expect(MixedPieces.access(parking, at: 40 * page) == MixedPieces.expectedAccess)
            #expect(MixedPieces.numbers(parking, at: 40 * page) == MixedPieces.expectedNumbers)
            #expect(isReserved(sparse, 0..<all))
            try parking.move(
                offset: 40 * page, count: all, to: sparse, at: 0, areUnused: areUnused, support: support)
            #expect(parking.pieces.isEmpty && sparse.pieces == pieces)
            #expect(MixedPieces.access(sparse) == MixedPieces.expectedAccess)
            #expect(MixedPieces.numbers(sparse) == MixedPieces.expectedNumbers)
            #expect(isReserved(parking, 40 * page..<56 * page))
        }
        // What they come from is what it was.
        try sparse.protect(offset: 0, count: all, .readWrite)
        #expect(sparse.baseAddress.load(fromByteOffset: 14 * 4096, as: UInt64.self) == 15)
        let view = try HostMapping(mixed.shared.file, count: 8 * page)
        #expect(
            (0..<8).map { view.baseAddress.load(fromByteOffset: $0 * 4096, as: UInt64.self) } == [
                0, 0, 9, 10, 11, 12, 0, 0,
            ])
        view.baseAddress.storeBytes(of: 0x77, toByteOffset: 5 * 4096, as: UInt64.self)
        #expect(sparse.baseAddress.load(fromByteOffset: 11 * 4096, as: UInt64.self) == 0x77)
        try sparse.decommit(offset: 12 * page, count: 4 * page)
        #expect(MixedPieces.numbers(sparse)[12...] == [0, 0, 0, 0])
    }

    /// Whether all of a range is mapped, so that no other thread's mapping can get there, and accessible to nobody.
    private static func isReserved(_ mapping: SparseMapping, _ range: Range<UInt64>) -> Bool {
        let areas = ProcessMaps.areas()
        return stride(from: range.lowerBound, to: range.upperBound, by: 4096).allSatisfy { offset in
            let address = UInt(bitPattern: mapping.baseAddress) + UInt(offset)
            return areas.first { $0.range.contains(address) }?.permissions == "---p"
        }
    }

    @Test("Where pages were moved from, no more is left of them than where nothing ever was")
    func nothingLeft() throws {
        let mixed = try MixedPieces()
        let parking = try SparseMapping(byteCount: 64 * page)
        try mixed.mapping.move(offset: 0, count: all, to: parking, at: 0)
        let areas = ProcessMaps.areas()
        let base = UInt(bitPattern: mixed.mapping.baseAddress)
        let left = areas.filter { $0.range.overlaps(base..<base + UInt(all)) }
        #expect(left.allSatisfy { $0.name.isEmpty && $0.permissions == "---p" })
        #expect(try mixed.mapping.residentByteCount(offset: 0, count: all) == 0)
    }

    @Test("Part of a piece can be moved, and is one with its neighbours when it comes back")
    func parts() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        let parking = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 8 * page, .anonymous)
        memset(sparse.baseAddress, 0x11, 8 * 4096)
        try sparse.move(offset: 2 * page, count: 3 * page, to: parking, at: 0)
        #expect(sparse.pieces.map(\.range) == [0..<2 * page, 5 * page..<8 * page])
        // A ROM in its place.
        try sparse.map(offset: 2 * page, count: 3 * page, .anonymous, protection: .readOnly)
        try sparse.unmap(offset: 2 * page, count: 3 * page)
        try parking.move(offset: 0, count: 3 * page, to: sparse, at: 2 * page)
        #expect(sparse.pieces.map(\.range) == [0..<8 * page] && parking.pieces.isEmpty)
        let bytes = UnsafeRawBufferPointer(start: sparse.baseAddress, count: 8 * 4096)
        #expect(bytes.allSatisfy { $0 == 0x11 })
        try sparse.move(offset: 0, count: 8 * page, to: parking, at: 8 * page)
        #expect(parking.pieces.map(\.range) == [8 * page..<16 * page])
    }

    @Test("Pages are moved within one reservation, up and down")
    func withinOne() throws {
        let mixed = try MixedPieces()
        let sparse = mixed.mapping
        let pieces = sparse.pieces
        try sparse.move(offset: 0, count: all, to: sparse, at: 16 * page)
        #expect(sparse.pieces == pieces.moved(by: 16 * 4096))
        #expect(MixedPieces.numbers(sparse, at: 16 * page) == MixedPieces.expectedNumbers)
        #expect(MixedPieces.access(sparse) == "----------------")
        try sparse.move(offset: 16 * page, count: all, to: sparse, at: 0)
        #expect(sparse.pieces == pieces)
        #expect(MixedPieces.numbers(sparse) == MixedPieces.expectedNumbers)
        let overlap = refusal { try sparse.move(offset: 0, count: all, to: sparse, at: 8 * page) }
        let extent = HostMemoryError.Extent(offset: 8 * page, count: all)
        #expect(overlap == HostMemoryError(.moveTo, extent, .alreadyMapped(8 * page..<9 * page)))
        #expect(sparse.pieces == pieces)
    }

    @Test("Pages can be given another protection as they are moved", arguments: [false, true])
    func protection(areUnused: Bool) throws {
        let mixed = try MixedPieces()
        let parking = try SparseMapping(byteCount: 64 * page)
        try mixed.mapping.move(
            offset: 0, count: all, to: parking, at: 0, protection: MemoryProtection.none, areUnused: areUnused)
        #expect(MixedPieces.access(parking) == "----------------")
        #expect(parking.pieces.map(\.range) == [0..<8 * page, 8 * page..<12 * page, 12 * page..<16 * page])
        try parking.move(
            offset: 0, count: all, to: mixed.mapping, at: 0, protection: .readWrite, areUnused: areUnused)
        #expect(MixedPieces.access(mixed.mapping) == "wwwwwwwwwwwwwwww")
        #expect(MixedPieces.numbers(mixed.mapping) == (1...16).map { $0 })
    }

    @Test("Pages of a file that is open for reading only cannot become writable by moving them")
    func readOnlyFile() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x11)
        let sparse = try SparseMapping(byteCount: 16 * page)
        let backing = MemoryBacking.shared(try MemoryFile(path: FilePath(temporary.path), access: .readOnly))
        try sparse.map(offset: 0, count: 2 * page, backing, protection: .readOnly)
        let error = refusal {
            try sparse.move(offset: 0, count: 2 * page, to: sparse, at: 4 * page, protection: .readWrite)
        }
        #expect(error?.operation == .move && error?.reason == .fileIsReadOnly)
        try sparse.move(offset: 0, count: 2 * page, to: sparse, at: 4 * page)
        #expect(sparse.baseAddress.load(fromByteOffset: 4 * 4096, as: UInt8.self) == 0x11)
    }

    @Test(
        "What cannot be moved stays where it is, and the error says which of the two ranges is at fault",
        arguments: [
            (0, 0, 0, .move, .empty),
            (1, page, 0, .move, .misaligned(.size4K)),
            (0, page + 1, 0, .move, .misaligned(.size4K)),
            (0, page, 1, .moveTo, .misaligned(.size4K)),
            (64 * page, page, 0, .move, .outOfBounds(limit: 64 * page)),
            (.max - 4095, 4096, 0, .move, .outOfBounds(limit: 64 * page)),
            (0, 2 * page, 31 * page, .moveTo, .outOfBounds(limit: 32 * page)),
            (0, page, .max - 4095, .moveTo, .outOfBounds(limit: 32 * page)),
            (15 * page, 2 * page, 8 * page, .move, .notMapped(16 * page..<17 * page)),
            (32 * page, 2 * page, 8 * page, .move, .notMapped(32 * page..<34 * page)),
            (0, 8 * page, 0, .moveTo, .alreadyMapped(4 * page..<6 * page)),
            (0, 8 * page, 5 * page, .moveTo, .alreadyMapped(5 * page..<6 * page)),
        ] as [(UInt64, UInt64, UInt64, HostMemoryError.Operation, HostMemoryError.Reason)])
    func refusals(
        offset: UInt64, count: UInt64, otherOffset: UInt64, operation: HostMemoryError.Operation,
        reason: HostMemoryError.Reason
    ) throws {
        let mixed = try MixedPieces()
        let other = try SparseMapping(byteCount: 32 * page)
        try other.map(offset: 4 * page, count: 2 * page, .anonymous)
        let (pieces, otherPieces) = (mixed.mapping.pieces, other.pieces)
        let error = refusal { try mixed.mapping.move(offset: offset, count: count, to: other, at: otherOffset) }
        let start = operation == .move ? offset : otherOffset
        #expect(error == HostMemoryError(operation, .init(offset: start, count: count), reason))
        #expect(mixed.mapping.pieces == pieces && other.pieces == otherPieces)
        #expect(MixedPieces.numbers(mixed.mapping) == MixedPieces.expectedNumbers)
        #expect(MixedPieces.access(mixed.mapping) == MixedPieces.expectedAccess)
    }

    @Test("Locked pages are not moved, but waited for")
    func locks() throws {
        let mixed = try MixedPieces()
        let sparse = mixed.mapping
        let parking = try SparseMapping(byteCount: 64 * page)
        try sparse.lock(offset: 3 * page, count: page)
        // Locks of what is not there are no obstacle.
        try parking.lock(offset: 0, count: all)
        let error = refusal {
            try sparse.move(offset: 0, count: all, to: parking, at: 0, waitingUpTo: .milliseconds(10))
        }
        #expect(error == HostMemoryError(.move, .init(offset: 0, count: all), .locked(3 * page..<4 * page)))
        #expect(MixedPieces.access(sparse) == MixedPieces.expectedAccess)
        let unlocker = TestThread {
            usleep(20_000)
            try? sparse.unlock(offset: 3 * page, count: page)
        }
        let inTime = refusal { try sparse.move(offset: 0, count: all, to: parking, at: 0, waitingUpTo: .seconds(60)) }
        unlocker.join()
        #expect(inTime == nil && sparse.pieces.isEmpty)
        let back = refusal { try parking.move(offset: 0, count: all, to: sparse, at: 0) }
        #expect(back?.reason == .locked(0..<16 * page))
    }

    @Test(
        "Pages that cannot be moved on, nor back, are kept at either place, and can be moved later", arguments: 1...12,
        [false, true])
    func stranded(_ failing: Int, areUnused: Bool) throws {
        let mixed = try MixedPieces()
        let (sparse, parking) = (mixed.mapping, try SparseMapping(byteCount: 64 * page))
        let pieces = sparse.pieces
        let count = SharedNumber()
        var support = MoveSupport.ofKernel
        // Of those back, every other one.
        support.beforeMove = { (direction) throws(Errno) in
            count.add(1)
            if count.value > failing, direction == .there || count.value % 2 == 0 { throw .noMemory }
        }
        let error = refusal {
            try sparse.move(
                offset: 0, count: all, to: parking, at: 40 * page, areUnused: areUnused, support: support)
        }
        guard let error else {
            // There are fewer moves than that.
            #expect(failing > 6 && sparse.pieces.isEmpty)
            return
        }
        let here = MixedPieces.numbers(sparse)
        let there = MixedPieces.numbers(parking, at: 40 * page)
        #expect(zip(here, there).map { $0 ?? $1 } == MixedPieces.expectedNumbers)
        #expect(zip(here, there).allSatisfy { $0 == nil || $1 == nil })
        // A single one is moved back.
        if case .stranded(_, .noMemory) = error.reason {
            #expect(!parking.pieces.isEmpty && failing > 1)
        } else {
            #expect(parking.pieces.isEmpty && sparse.pieces == pieces && failing == 1)
        }
        for piece in parking.pieces {
            #expect(sparse.pieces(in: piece.range.lowerBound - 40 * page..<piece.range.upperBound - 40 * page).isEmpty)
            try parking.move(
                offset: piece.range.lowerBound, count: UInt64(piece.range.count), to: sparse,
                at: piece.range.lowerBound - 40 * page)
        }
        #expect(sparse.pieces == pieces && parking.pieces.isEmpty)
        #expect(MixedPieces.numbers(sparse) == MixedPieces.expectedNumbers)
        #expect(MixedPieces.access(sparse) == MixedPieces.expectedAccess)
    }

    @Test(
        "Close to the host's limit on mappings pages are moved, or everything is as it was",
        .disabled(if: ThreadSanitizer.isActive, "the sanitizer takes most addresses and mappings"))
    func mappingLimit() async {
        await #expect(processExitsWith: .success) {
            for support in [MoveSupport.ofKernel, .none] {
                let mixed = try MixedPieces()
                let (sparse, parking) = (mixed.mapping, try SparseMapping(byteCount: 64 * page))
                let pieces = sparse.pieces
                var refusals: [HostMemoryError?] = []
                refusals.reserveCapacity(64)
                var areIntact = true
                // Nothing but moves in between: a thread or an array that needs a mapping would end the process.
                let filling = FilledMappings()
                for room in 0..<64 {
                    filling.makeRoom(for: room)
                    let refusal = refusal {
                        try sparse.move(offset: 0, count: all, to: parking, at: page, support: support)
                    }
                    guard let refusal else { break }
                    refusals.append(refusal)
                    for number in 0..<16 where number != 14 {
                        let value = sparse.baseAddress.load(fromByteOffset: number * 4096, as: UInt64.self)
                        areIntact = areIntact && value == UInt64(number) + 1
                    }
                }
                _ = consume filling
                #expect(areIntact)
                #expect(refusals.count > 10 && refusals.count < 64)
                for case let refusal? in refusals {
                    guard case .tooManyMappings = refusal.reason, refusal.operation == .move else {
                        Issue.record("\(refusal)")
                        continue
                    }
                }
                #expect(sparse.pieces.isEmpty && parking.pieces == pieces.moved(by: 4096))
                #expect(MixedPieces.numbers(parking, at: page) == MixedPieces.expectedNumbers)
                #expect(MixedPieces.access(parking, at: page) == MixedPieces.expectedAccess)
            }
        }
    }
}
