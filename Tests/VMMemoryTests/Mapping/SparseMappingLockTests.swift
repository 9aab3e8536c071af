import Glibc
import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Locked pages of sparse mappings")
struct SparseMappingLockTests {
    /// Eight pages of anonymous memory, all 0x11, at the start.
    private func makeMapping(protection: MemoryProtection = .readWrite) throws -> SparseMapping {
        let sparse = try SparseMapping(byteCount: 16 * page)
        try sparse.map(offset: 0, count: 8 * page, .anonymous)
        memset(sparse.baseAddress, 0x11, 8 * 4096)
        try sparse.protect(offset: 0, count: 8 * page, protection)
        return sparse
    }

    @Test("What would take locked pages away is refused, naming them, and changes nothing")
    func refusals() throws {
        let sparse = try makeMapping()
        // Bytes of three pages, unaligned.
        try sparse.lock(offset: 2 * page + 100, count: 2 * page)
        let pieces = sparse.pieces
        for (error, operation) in [
            (refusal { try sparse.unmap(offset: 0, count: 8 * page) }, .unmap),
            (refusal { try sparse.decommit(offset: 0, count: 8 * page) }, .decommit),
            (refusal { try sparse.protect(offset: 0, count: 8 * page, .readOnly) }, .protect),
            (refusal { try sparse.map(offset: 0, count: 8 * page, .anonymous, replacing: true) }, .map),
        ] as [(HostMemoryError?, HostMemoryError.Operation)] {
            let extent = HostMemoryError.Extent(offset: 0, count: 8 * page)
            #expect(error == HostMemoryError(operation, extent, .locked(2 * page..<5 * page)))
        }
        #expect(sparse.pieces == pieces)
        let bytes = UnsafeRawBufferPointer(start: sparse.baseAddress, count: 8 * 4096)
        #expect(bytes.allSatisfy { $0 == 0x11 })
        #expect(Access.canWrite(sparse.baseAddress))
        try sparse.unlock(offset: 2 * page, count: 3 * page)
        try sparse.unmap(offset: 0, count: 8 * page)
        #expect(!Access.canRead(sparse.baseAddress))
    }

    @Test("Pages beside the locked ones can be changed")
    func neighbours() throws {
        let sparse = try makeMapping()
        try sparse.lock(offset: 3 * page, count: 1)
        try sparse.unmap(offset: 0, count: 3 * page)
        try sparse.decommit(offset: 4 * page, count: 4 * page)
        #expect(sparse.baseAddress.load(fromByteOffset: 3 * 4096, as: UInt8.self) == 0x11)
        #expect(sparse.baseAddress.load(fromByteOffset: 4 * 4096, as: UInt8.self) == 0)
    }

    @Test("Locked pages can be allowed more, and something can be mapped where there was nothing")
    func additions() throws {
        let sparse = try makeMapping(protection: .readOnly)
        try sparse.lock(offset: 0, count: 16 * page)
        try sparse.protect(offset: 0, count: 8 * page, .readWrite)
        try sparse.map(offset: 8 * page, count: 4 * page, .anonymous)
        try sparse.populate(offset: 8 * page, count: 4 * page)
        #expect(Access.canWrite(sparse.baseAddress) && Access.canWrite(sparse.baseAddress + 8 * 4096))
        let less = refusal { try sparse.protect(offset: 0, count: page, .none) }
        #expect(less?.reason == .locked(0..<page))
    }

    @Test("Locks count, overlap, and are undone page by page")
    func counting() throws {
        let sparse = try makeMapping()
        try sparse.lock(offset: 0, count: 4 * page)
        try sparse.lock(offset: 2 * page, count: 4 * page)
        try sparse.unlock(offset: 0, count: 4 * page)
        #expect(try sparse.isLocked(offset: 0, count: 2 * page) == false)
        #expect(try sparse.isLocked(offset: 2 * page, count: 1))
        #expect(try sparse.isLocked(offset: 0, count: 16 * page))
        for number in 2..<6 as Range<UInt64> { try sparse.unlock(offset: number * page, count: 1) }
        #expect(try sparse.isLocked(offset: 0, count: 16 * page) == false)
        let error = refusal { try sparse.unlock(offset: 2 * page, count: 1) }
        #expect(error?.reason == .notLocked(2 * page..<3 * page))
    }

    @Test(
        "A range to lock must not be empty or pass the end",
        arguments: [
            (0, 0, .empty),
            (16 * page, 1, .outOfBounds(limit: 16 * page)),
            (16 * page - 1, 2, .outOfBounds(limit: 16 * page)),
            (1, .max, .outOfBounds(limit: 16 * page)),
            (.max, 1, .outOfBounds(limit: 16 * page)),
        ] as [(UInt64, UInt64, HostMemoryError.Reason)])
    func badRanges(offset: UInt64, count: UInt64, reason: HostMemoryError.Reason) throws {
        let sparse = try makeMapping()
        let extent = HostMemoryError.Extent(offset: offset, count: count)
        let lock = refusal { try sparse.lock(offset: offset, count: count) }
        let unlock = refusal { try sparse.unlock(offset: offset, count: count) }
        let isLocked = refusal { _ = try sparse.isLocked(offset: offset, count: count) }
        #expect(lock == HostMemoryError(.lock, extent, reason))
        #expect(unlock == HostMemoryError(.unlock, extent, reason))
        #expect(isLocked == HostMemoryError(.lock, extent, reason))
        #expect(try sparse.isLocked(offset: 0, count: 16 * page) == false)
    }

    @Test("A change waits for locked pages as long as it was told to")
    func waiting() throws {
        let sparse = try makeMapping()
        try sparse.lock(offset: page, count: page)
        let start = ContinuousClock.now
        let late = refusal { try sparse.unmap(offset: 0, count: 8 * page, waitingUpTo: .milliseconds(20)) }
        #expect(late?.reason == .locked(page..<2 * page))
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        let unlocker = TestThread {
            usleep(20_000)
            try? sparse.unlock(offset: page, count: page)
        }
        let inTime = refusal { try sparse.unmap(offset: 0, count: 8 * page, waitingUpTo: .seconds(Int64.max)) }
        unlocker.join()
        #expect(inTime == nil)
        #expect(sparse.pieces.isEmpty)
    }

    @Test("While one change waits, others are made, and it then finds what they left")
    func changesMeanwhile() throws {
        let sparse = try makeMapping()
        try sparse.lock(offset: 0, count: page)
        let waiter = TestThread {
            let error = refusal { try sparse.unmap(offset: 0, count: 2 * page, waitingUpTo: .seconds(60)) }
            // The second page is no longer there.
            #expect(error?.reason == .notMapped(page..<2 * page))
        }
        usleep(20_000)
        try sparse.unmap(offset: page, count: page)
        try sparse.map(offset: 8 * page, count: page, .anonymous)
        try sparse.unlock(offset: 0, count: page)
        waiter.join()
        #expect(sparse.pieces.map(\.range) == [0..<page, 2 * page..<9 * page])
    }
}
