import Glibc
import Synchronization
import Testing
import VMAddressSpace
import VMMemory

@Suite("What a backing may answer to a page fault", .timeLimit(.minutes(10)))
struct PageFaultTests {
    /// Four pages at 0x1000 that become accessible one by one, as they are asked for.
    private func makeLazy() throws -> (memory: GuestMemory, pages: AccessPages) {
        let pages = try AccessPages(pages: 4) { pages, offset, _ in
            let page = Int(offset >> 12)
            pages.protect(page..<(page + 1), PROT_READ | PROT_WRITE)
            return .retry
        }
        pages.protect(0..<4, PROT_NONE)
        return (try AccessMemory.make([AccessMemory.region(0x1000, pages, bitmap: AccessPageSet())]), pages)
    }

    @Test("An access goes on once its pages are there")
    func retry() throws {
        let (memory, pages) = try makeLazy()
        let bytes = AccessMemory.pattern(0x2800)
        try memory.write(bytes, at: GuestAddress(0x1400))
        #expect(pages.faultCount.load(ordering: .relaxed) == 3)
        #expect(try memory.read(GuestAddress(0x1400), count: bytes.count) == bytes)
        #expect(try memory.load(GuestAddress(0x4ffc)) as UInt32 == 0)
        #expect(pages.faultCount.load(ordering: .relaxed) == 4)
        #expect((0x1...0x3).allSatisfy { memory.isDirty(UInt64($0) << 12) })
        #expect(!memory.isDirty(0x4000))
    }

    @Test("Every operation goes on once its page is there")
    func retryEach() throws {
        try makeLazy().memory.store(1 as UInt32, at: GuestAddress(0x2ffe))
        try makeLazy().memory.fill(GuestAddress(0x1000), count: 0x4000, with: 1)
        #expect(try makeLazy().memory.load(GuestAddress(0x1000)) as UInt64 == 0)
        #expect(
            try makeLazy().memory.compareExchange(GuestAddress(0x1000), expected: 0 as UInt16, desired: 1).exchanged)
        #expect(try makeLazy().memory.available(0x1ff0, 0x10000).count == 0x3010)
        try makeLazy().memory.probe(GuestAddress(0x1000), count: 0x4000, for: .writing)
        let pages = try #require(PagedRange(frames: [4, 1], count: 0x2000))
        #expect(try makeLazy().memory.read(pages).allSatisfy { $0 == 0 })
    }

    @Test("The backing is told what failed, where and why")
    func causes() throws {
        final class Log: Sendable {
            let faults = Mutex<[(offset: UInt64, fault: PageFault)]>([])
        }
        let log = Log()
        let permissions = try PagePermissions(byteCount: 0x4000)
        permissions.set([.read], offset: 0x2000, count: 0x1000)
        let pages = try AccessPages(pages: 4, permissions: permissions) { _, offset, fault in
            log.faults.withLock { $0.append((offset, fault)) }
            return .fail(GuestMemoryBackingError("not today"))
        }
        pages.protect(1..<2, PROT_NONE)
        let range = try AccessMemory.range(0x8000, 0x3000)
        let memory = try AccessMemory.make([MemoryRegion(range, pages, offset: 0x1000, bitmap: AccessPageSet())])
        let errors = [
            try AccessMemory.failure { _ = try memory.load(GuestAddress(0x8008), as: UInt32.self) },
            try AccessMemory.failure { try memory.store(1 as UInt32, at: GuestAddress(0x9010)) },
            try AccessMemory.failure {
                _ = try memory.compareExchange(GuestAddress(0x9010), expected: 0 as UInt8, desired: 1)
            },
        ]
        #expect(errors.allSatisfy { $0.kind == .backing(GuestMemoryBackingError("not today")) })
        let faults = log.faults.withLock { $0 }
        #expect(faults.map(\.offset) == [0x1008, 0x2010, 0x2010])
        #expect(faults.map(\.fault.isWrite) == [false, true, true])
        #expect(faults.map(\.fault.cause) == [.host(.protected), .accessBitmap, .accessBitmap])
    }

    @Test("A backing may change the memory map, and wait for its readers, while it is asked")
    func mapChange() throws {
        final class Owner: Sendable {
            let map = Mutex<GuestMemoryAtomic<RegionMap>?>(nil)
        }
        let owner = Owner()
        let pages = try AccessPages(pages: 1) { pages, _, _ in
            pages.protect(0..<1, PROT_READ | PROT_WRITE)
            guard let map = owner.map.withLock({ $0 }) else { return .fail(nil) }
            do {
                let added = try AccessMemory.region(0x1000, AccessPages(pages: 1))
                try map.update { map throws(RegionMapError) in try map.inserting(added) }
                try map.synchronize()
                return .retry
            } catch {
                return .fail(GuestMemoryBackingError("\(error)"))
            }
        }
        pages.protect(0..<1, PROT_NONE)
        let memory = try AccessMemory.make([AccessMemory.region(0, pages)])
        owner.map.withLock { $0 = memory.map }
        defer { owner.map.withLock { $0 = nil } }
        try memory.store(7 as UInt8, at: GuestAddress(0xfff))
        #expect(try memory.load(GuestAddress(0xfff)) as UInt16 == 7)
    }
}
