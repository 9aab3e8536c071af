import Glibc
import Testing
import VMAddressSpace
import VMMemory

/// Accesses to host memory that is not there, or not for that. Guest memory starts at 0x1000.
@Suite("Faults of the host")
struct HostFaultTests {
    /// Four pages of guest memory.
    private func makeMemory(_ pages: AccessPages) throws -> GuestMemory {
        try AccessMemory.make([AccessMemory.region(0x1000, pages, bitmap: AccessPageSet())])
    }

    /// A file of two pages, mapped as four.
    private func makeTruncated() throws -> AccessPages {
        let pages = try AccessPages(pages: 4, isFile: true)
        pages.truncate(toPages: 2)
        return pages
    }

    @Test(
        "A file truncated under its mapping is an error at the exact page", arguments: [0x1000, 0x1ffc, 0x2ff9, 0x2001])
    func truncated(_ start: UInt64) throws {
        let memory = try makeMemory(makeTruncated())
        let bytes = AccessMemory.pattern(0x2004)
        let failures = [
            try AccessMemory.failure { try memory.write(bytes, at: GuestAddress(start)) },
            try AccessMemory.failure { _ = try memory.read(GuestAddress(start), count: 0x2004) },
            try AccessMemory.failure { try memory.fill(GuestAddress(start), count: 0x2004, with: 1) },
        ]
        for error in failures {
            #expect(error.kind == .fault(.noBacking))
            #expect(error.failing == GuestAddress(0x3000))
            #expect(error.completed == 0x3000 - start)
            #expect(error.address == GuestAddress(start))
            #expect(error.count == 0x2004)
        }
    }

    @Test(
        "A write to a hole of a file whose file system is full is an error at the exact byte",
        .enabled(if: LimitedFileSystem.isUsable, Comment(rawValue: LimitedFileSystem.skipReason)))
    func fullFileSystem() throws {
        let descriptor = try #require(LimitedFileSystem.makeFile(byteCount: 0x8000, roomForPages: 4))
        let file = try MemoryFile(adopting: descriptor, name: "sparse")
        let pages = MappedMemory(try HostMapping(file, count: 0x8000))
        let memory = try AccessMemory.make([AccessMemory.region(0x1000, pages, bitmap: AccessPageSet())])
        let bytes = AccessMemory.pattern(0x8000)

        let write = try AccessMemory.failure { try memory.write(bytes, at: GuestAddress(0x1000)) }
        #expect(write.kind == .fault(.noBacking))
        #expect(write.failing == GuestAddress(0x5000))
        #expect(write.completed == 0x4000)
        #expect(try memory.read(GuestAddress(0x1000), count: 0x4000) == Array(bytes[..<0x4000]))
        #expect(memory.isDirty(0x4fff))

        let store = try AccessMemory.failure { try memory.store(1 as UInt64, at: GuestAddress(0x6128)) }
        let fill = try AccessMemory.failure { try memory.fill(GuestAddress(0x4f00), count: 0x200, with: 7) }
        let exchange = try AccessMemory.failure {
            _ = try memory.compareExchange(GuestAddress(0x8ffc), expected: 0 as UInt32, desired: 1)
        }
        for (error, failing) in [(store, 0x6128), (fill, 0x5000), (exchange, 0x8ffc)] as [(GuestMemoryError, UInt64)] {
            #expect(error.kind == .fault(.noBacking))
            #expect(error.failing == GuestAddress(failing))
            #expect(error.completed == failing - error.address.rawValue)
        }

        // A page given back is room for another.
        try file.punchHole(offset: 0, count: 0x1000)
        try memory.store(1 as UInt64, at: GuestAddress(0x6128))
        #expect(try memory.load(GuestAddress(0x6128)) as UInt64 == 1)
    }

    @Test("What lies before a fault is done, all of it", arguments: [1, 3, 16, 31, 32, 100, 0x1003])
    func before(_ count: Int) throws {
        let memory = try makeMemory(makeTruncated())
        let address = GuestAddress(0x3000 - UInt64(count))
        let bytes = AccessMemory.pattern(count + 40)
        let error = try AccessMemory.failure { try memory.write(bytes, at: address) }
        #expect(error.completed == UInt64(count))
        #expect(try memory.read(address, count: count) == Array(bytes[..<count]))
        #expect(try memory.available(address.rawValue, count + 40) == Array(bytes[..<count]))
        #expect(try memory.writeAvailable(bytes, address.rawValue) == count)
        #expect(throws: GuestMemoryError.self) { try memory.fill(address, count: UInt64(count + 40), with: 7) }
        #expect(try memory.read(address, count: count) == [UInt8](repeating: 7, count: count))
        #expect(memory.isDirty(address.rawValue) && memory.isDirty(0x2fff))
    }

    @Test("Single values of every size come back as errors, also where they lie half before the fault")
    func values() throws {
        let memory = try makeMemory(makeTruncated())
        func check<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) throws {
            for before in [0, MemoryLayout<Value>.size / 2] {
                let address = GuestAddress(0x3000 - UInt64(before))
                let load = try AccessMemory.failure { _ = try memory.load(address, as: type) }
                let store = try AccessMemory.failure { try memory.store(1 as Value, at: address) }
                for error in [load, store] {
                    #expect(error.kind == .fault(.noBacking))
                    #expect(error.failing == GuestAddress(0x3000))
                    #expect(error.completed == UInt64(before))
                }
            }
            let error = try AccessMemory.failure {
                _ = try memory.compareExchange(GuestAddress(0x3000), expected: 0 as Value, desired: 1)
            }
            #expect(error.kind == .fault(.noBacking))
            #expect(error.failing == GuestAddress(0x3000))
        }
        try check(UInt8.self)
        try check(UInt16.self)
        try check(UInt32.self)
        try check(UInt64.self)
    }

    @Test("A page without access fails both ways, with its neighbours as they are")
    func protected() throws {
        let pages = try AccessPages(pages: 4)
        let memory = try makeMemory(pages)
        pages.protect(1..<2, PROT_NONE)
        for error in [
            try AccessMemory.failure { _ = try memory.read(GuestAddress(0x1000), count: 0x4000) },
            try AccessMemory.failure { try memory.fill(GuestAddress(0x1000), count: 0x4000, with: 1) },
        ] {
            #expect(error.kind == .fault(.protected))
            #expect(error.failing == GuestAddress(0x2000))
            #expect(error.completed == 0x1000)
        }
        try memory.fill(GuestAddress(0x3000), count: 0x2000, with: 2)
        #expect(try memory.read(GuestAddress(0x1fff), count: 1) == [1])
        #expect(try memory.read(GuestAddress(0x3000), count: 1) == [2])
    }

    @Test("A read-only host mapping can be read; writes and exchanges are errors, and change nothing")
    func readOnlyMapping() throws {
        let pages = try AccessPages(pages: 4)
        let memory = try makeMemory(pages)
        try memory.fill(GuestAddress(0x1000), count: 0x4000, with: 5)
        pages.protect(0..<4, PROT_READ)
        #expect(try memory.load(GuestAddress(0x1000)) as UInt64 == 0x0505_0505_0505_0505)
        let refused: [() throws -> Void] = [
            { try memory.store(1 as UInt64, at: GuestAddress(0x1008)) },
            { try memory.fill(GuestAddress(0x1008), count: 100, with: 1) },
            { try memory.write([1, 2, 3], at: GuestAddress(0x1008)) },
            { _ = try memory.compareExchange(GuestAddress(0x1008), expected: 5 as UInt8, desired: 1) },
            { _ = try memory.compareExchange(GuestAddress(0x1008), expected: 6 as UInt8, desired: 1) },
        ]
        for attempt in refused {
            let error = try AccessMemory.failure(attempt)
            #expect(error.kind == .fault(.protected))
            #expect(error.failing == GuestAddress(0x1008))
            #expect(error.completed == 0)
        }
        #expect(pages.bytes.allSatisfy { $0 == 5 })
    }

    /// A backing that gives a host address out where nothing ever is.
    private final class Nowhere: GuestMemoryAccess, @unchecked Sendable {
        // SAFETY: the pointer is constant, and is only followed where a fault is an error.
        let mapping: UnsafeMutableRawPointer?
        let byteCount: UInt64 = 4096

        init(_ address: UInt) {
            mapping = UnsafeMutableRawPointer(bitPattern: address)
        }
    }

    @Test("Host addresses that nothing is mapped at, and such as do not exist, are errors")
    func unmapped() throws {
        // The kernel maps nothing below vm.mmap_min_addr.
        let memory = try AccessMemory.make([
            AccessMemory.region(0x1000, AccessPages(pages: 1)), AccessMemory.region(0x2000, Nowhere(0x1000)),
            AccessMemory.region(0x3000, Nowhere(1 << 63)),
        ])
        let notMapped = try AccessMemory.failure { _ = try memory.read(GuestAddress(0x1ffe), count: 4) }
        #expect(notMapped.kind == .fault(.notMapped))
        #expect(notMapped.failing == GuestAddress(0x2000))
        #expect(notMapped.completed == 2)
        let none = try AccessMemory.failure { try memory.store(1 as UInt16, at: GuestAddress(0x3004)) }
        #expect(none.kind == .fault(.other(signal: SIGSEGV, code: 0x80)))
        #expect(none.failing == GuestAddress(0x3004))
    }
}
