import Glibc
import SystemPackage
import Testing
import VMAddressSpace

@testable import VMMemory

private let hugePage: UInt64 = 1 << 21

extension Trait where Self == ConditionTrait {
    fileprivate static var needsHugePages: Self {
        .enabled(if: HugePagePool.free >= 2, "needs two free huge pages (vm.nr_hugepages)")
    }
}

/// Serialized, since the host's pool is one for all.
@Suite("Huge pages from the host's pool", .serialized)
struct HugePageTests {
    @Test("More huge pages than the host has free are refused when they are mapped, and when they are preallocated")
    func tooFew() throws {
        let count = UInt64(HugePagePool.free + 1) * hugePage
        let file = try MemoryFile(memfd: "too many", byteCount: count, pageSize: .size2M)
        let sparse = try SparseMapping(byteCount: count)
        let backing = MemoryBacking.shared(try MemoryFile(memfd: "shared", byteCount: count, pageSize: .size2M))
        for (error, operation) in [
            (refusal { _ = try HostMapping(file, count: count) }, .map),
            (refusal { _ = try HostMapping(file, count: count, options: .guardPages) }, .map),
            (refusal { try sparse.map(offset: 0, count: count, backing) }, .map),
            (refusal { try file.preallocate(offset: 0, count: count) }, .preallocate),
        ] as [(HostMemoryError?, HostMemoryError.Operation)] {
            #expect(error?.operation == operation)
            #expect(error?.reason == .tooFewHugePages(.size2M))
            #expect(error?.description.contains("vm.nr_hugepages") == true)
        }
        #expect(sparse.pieces.isEmpty)
        try sparse.map(offset: 0, count: count, .anonymous)
    }

    @Test("Pages of 1 GiB are refused for their size or for their number, where there are none")
    func gigabytePages() {
        let error = refusal {
            // A thousand of them.
            let file = try MemoryFile(memfd: "1 GiB", byteCount: 1 << 40, pageSize: .size1G)
            _ = try HostMapping(file, count: 1 << 40)
        }
        #expect(error?.reason == .tooFewHugePages(.size1G) || error?.reason == .noHugePageSize(.size1G))
    }

    @Test("Huge pages are not mapped copy-on-write")
    func copyOnWrite() throws {
        let file = try MemoryFile(memfd: "private", byteCount: hugePage, pageSize: .size2M)
        let error = refusal { _ = try HostMapping(file, count: hugePage, sharing: .copyOnWrite) }
        #expect(error?.reason == .copyOnWriteHugePages(.size2M))
    }

    @Test("A memfd in huge pages is cut at multiples of them alone")
    func alignment() throws {
        let file = try MemoryFile(memfd: "aligned", byteCount: 2 * hugePage, pageSize: .size2M)
        for (offset, count) in [(4096, hugePage), (0, 4096), (hugePage, hugePage / 2)] as [(UInt64, UInt64)] {
            let error = refusal { _ = try HostMapping(file, offset: offset, count: count) }
            #expect(error?.reason == .misaligned(.size2M))
        }
    }

    @Test("Reserved huge pages can be mapped, with guard pages too, populated and given back", .needsHugePages)
    func reserved() throws {
        let free = HugePagePool.free
        let file = try MemoryFile(memfd: "huge", byteCount: 2 * hugePage, pageSize: .size2M)
        for options: HostMapping.Options in [.populate, [.populate, .guardPages]] {
            let mapping = try HostMapping(file, count: 2 * hugePage, options: options)
            let base = mapping.baseAddress
            #expect(UInt(bitPattern: base) % UInt(hugePage) == 0)
            #expect(HugePagePool.free == free - 2)
            let area = try #require(ProcessMaps.area(at: base))
            #expect(area.flags.contains("ht"))
            memset(base, 0xff, mapping.count)
            try mapping.decommit(offset: hugePage, count: hugePage)
            #expect(base.load(as: UInt8.self) == 0xff)
            #expect(HugePagePool.free == free - 1)
            #expect(base.load(fromByteOffset: Int(hugePage), as: UInt8.self) == 0)
            if options.contains(.guardPages) {
                #expect(!Access.canRead(base - 1) && !Access.canRead(base + mapping.count))
            }
        }
    }

    @Test("A file on hugetlbfs or a memfd in huge pages is recognised when its descriptor is adopted")
    func adopting() throws {
        let file = try MemoryFile(memfd: "adopted", byteCount: hugePage, pageSize: .size2M)
        let adopted = try MemoryFile(
            adopting: FileDescriptor(rawValue: dup(file.descriptor.rawValue)), name: "adopted")
        let pageSize = adopted.pageSize
        #expect(pageSize == .size2M)
    }

    @Test("A sparse mapping holds huge pages in place and cuts them at their size alone", .needsHugePages)
    func sparse() throws {
        let sparse = try SparseMapping(byteCount: 1 << 30)
        let backing = MemoryBacking.shared(
            try MemoryFile(memfd: "sparse", byteCount: 2 * hugePage, pageSize: .size2M))
        let unaligned = refusal { try sparse.map(offset: 4096, count: 2 * hugePage, backing) }
        #expect(unaligned?.reason == .misaligned(.size2M))
        try sparse.map(offset: hugePage, count: 2 * hugePage, backing)
        let base = sparse.baseAddress + Int(hugePage)
        memset(base, 0xff, 2 << 21)
        for (offset, count) in [(hugePage, 4096), (hugePage + 4096, hugePage)] as [(UInt64, UInt64)] {
            for change in [
                { try sparse.unmap(offset: offset, count: count) },
                { try sparse.decommit(offset: offset, count: count) },
                { try sparse.protect(offset: offset, count: count, .readOnly) },
                { try sparse.map(offset: offset, count: count, .anonymous, replacing: true) },
            ] as [() throws -> Void] {
                #expect(refusal(of: change)?.reason == .misaligned(.size2M))
            }
        }
        try sparse.decommit(offset: hugePage, count: hugePage)
        #expect(base.load(as: UInt8.self) == 0)
        try sparse.map(offset: 2 * hugePage, count: hugePage, .anonymous, replacing: true)
        #expect(base.load(fromByteOffset: Int(hugePage), as: UInt8.self) == 0)
        try sparse.unmap(offset: hugePage, count: 2 * hugePage)
        #expect(!Access.canRead(base))
    }
}
