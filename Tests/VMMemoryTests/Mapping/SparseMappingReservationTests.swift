import Glibc
import Testing

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Reservations of sparse mappings")
struct SparseMappingReservationTests {
    @Test(
        "A whole guest-physical space is reserved, aligned for huge pages, and costs nothing",
        .disabled(if: ThreadSanitizer.isActive, "the sanitizer takes most addresses and mappings"))
    func reservation() throws {
        let sparse = try SparseMapping(byteCount: 1 << 46)
        let base = sparse.baseAddress
        #expect(sparse.count == 1 << 46)
        #expect(UInt(bitPattern: base) % (1 << 30) == 0)
        #expect(!Access.canRead(base) && !Access.canRead(base + (1 << 46 - 1)))
        try sparse.map(offset: (1 << 46) - page, count: page, .anonymous)
        #expect(Access.canWrite(base + ((1 << 46) - 1)))
        #expect(!Access.canRead(base + (1 << 46)))
        let resident = try sparse.residentByteCount(offset: 0, count: 1 << 21)
        #expect(resident == 0)
    }

    @Test(
        "A reservation that cannot be had is refused",
        arguments: [
            (0, .empty),
            (4097, .misaligned(.size4K)),
            (1 << 47, .system(.noMemory)),
            (UInt64(Int.max) - 4095, .system(.noMemory)),
            (1 << 63, .outOfBounds(limit: UInt64(Int.max))),
        ] as [(UInt64, HostMemoryError.Reason)])
    func badReservations(byteCount: UInt64, reason: HostMemoryError.Reason) {
        let error = refusal { _ = try SparseMapping(byteCount: byteCount) }
        #expect(error == HostMemoryError(.reserve, .init(offset: 0, count: byteCount), reason))
    }

    @Test(
        "A limit on address space refuses the reservation, and says which limit",
        .disabled(if: ThreadSanitizer.isActive, "the sanitizer takes most addresses and mappings"))
    func addressSpaceLimit() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            try #require(getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
            limit.rlim_cur = 1 << 36
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
            let error = refusal { _ = try SparseMapping(byteCount: 1 << 40) }
            #expect(error?.reason == .system(.noMemory))
            #expect(error?.description.contains("ulimit -v") == true)
        }
    }

    @Test("The reservation is given back with the last reference")
    func deinitialization() throws {
        func isMapped() -> Bool { ProcessMaps.areas().contains { $0.name.hasPrefix("/memfd:given back") } }
        var sparse: SparseMapping? = try SparseMapping(byteCount: 1 << 30)
        weak let released = sparse
        let backing = MemoryBacking.shared(try MemoryFile(memfd: "given back", byteCount: page))
        try sparse?.map(offset: 0, count: page, backing)
        #expect(isMapped())
        sparse = nil
        #expect(released == nil)
        #expect(!isMapped())
    }

    @Test("A hole that an old kernel leaves is reserved again, and no hole is no change")
    func holes() async {
        // A process of its own: elsewhere a thread of another test could take the hole.
        await #expect(processExitsWith: .success) {
            let sparse = try SparseMapping(byteCount: 1 << 30)
            let pages = sparse.pages(0..<1 << 20)
            let withoutHole = sparse.span.reserveHole(pages)
            try #require(munmap(pages.base, pages.count) == 0)
            let withHole = sparse.span.reserveHole(pages)
            #expect(!withoutHole && withHole)
            let area = try #require(ProcessMaps.area(at: pages.base))
            #expect(area.permissions == "---p" && area.range.upperBound >= UInt(bitPattern: pages.base + pages.count))
        }
    }
}
