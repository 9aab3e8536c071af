import Glibc
import SystemPackage
import TestSupport
import Testing
import VMHost

@testable import VMMigration

@Suite("Pages that are provided as they are touched", .enabled(if: (try? UserFault()) != nil, "needs userfaultfd(2)"))
struct UserFaultTests {
    private static let page = 4096

    /// Eight pages.
    private func mapping(isShared: Bool) throws -> UnsafeMutableRawPointer {
        let flags = isShared ? MAP_SHARED | MAP_ANONYMOUS : MAP_PRIVATE | MAP_ANONYMOUS
        let base = mmap(nil, 8 * Self.page, PROT_READ | PROT_WRITE, flags, -1, 0)
        return try #require(base == MAP_FAILED ? nil : base)
    }

    private func range(_ base: UnsafeMutableRawPointer) -> Range<UInt> {
        UInt(bitPattern: base)..<(UInt(bitPattern: base) + UInt(8 * Self.page))
    }

    @Test("Who touches a page that is missing sleeps until it is there", arguments: [false, true])
    func faults(isShared: Bool) throws {
        let base = try mapping(isShared: isShared)
        defer { munmap(base, 8 * Self.page) }
        let fault = try UserFault()
        try fault.register(range(base), of: "test")
        let address = UInt(bitPattern: base)
        let seen = Monitor<[UInt8]>([])
        let reader = TestThread {
            let pages = UnsafeRawPointer(bitPattern: address)
            for page in 0..<2 {
                let byte = pages?.load(fromByteOffset: page * Self.page, as: UInt8.self) ?? 0
                seen.withLock { $0.append(byte) }
            }
        }
        var bytes = [UInt8](repeating: 7, count: Self.page)
        for page in 0..<2 {
            var found: UInt?
            while found == nil { found = try fault.nextFault() }
            #expect(found.map { $0 & ~4095 } == address + UInt(page * Self.page))
            #expect(seen.withLock(\.count) == page)
            if page == 0 {
                try bytes.withUnsafeBytes { try fault.place($0, at: address) }
            } else {
                try fault.placeZeros(Self.page, at: address + UInt(Self.page))
            }
        }
        reader.join()
        #expect(seen.withLock(\.self) == [7, 0])
        bytes[0] = 1
        // It stays as it is.
        try bytes.withUnsafeBytes { try fault.place($0, at: address) }
        try fault.placeZeros(8 * Self.page, at: address)
        #expect(base.load(as: UInt8.self) == 7)
        fault.unregister(range(base))
    }

    @Test("Who sleeps when it ends finds zeros")
    func end() throws {
        let base = try mapping(isShared: false)
        defer { munmap(base, 8 * Self.page) }
        let fault = try UserFault()
        try fault.register(range(base), of: "test")
        let address = UInt(bitPattern: base)
        let seen = Monitor<UInt8?>(nil)
        let reader = TestThread {
            let byte = UnsafeRawPointer(bitPattern: address)?.load(as: UInt8.self)
            seen.withLock { $0 = byte }
        }
        while try fault.nextFault() == nil {}
        fault.unregister(range(base))
        reader.join()
        #expect(seen.withLock(\.self) == 0)
    }

    @Test("Memory of a kind that it does not work with is refused by its name")
    func files() throws {
        let descriptor = open("/bin/sh", O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let base = try #require(mmap(nil, 8 * Self.page, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0))
        defer { munmap(base, 8 * Self.page) }
        let fault = try UserFault()
        #expect { try fault.register(range(base), of: "disk") } throws: { "\($0)".contains("\"disk\"") }
    }

    @Test("A page of memory is found by any address in it, and none beside")
    func map() {
        let map = FaultMap([
            FaultMap.Place(block: 1, firstPage: 10, host: 0x8000..<0xa000),
            FaultMap.Place(block: 0, firstPage: 0, host: 0x1000..<0x3000),
        ])
        #expect(map.page(at: 0x1000) == PageRun(block: 0, pages: 0..<1))
        #expect(map.page(at: 0x2fff) == PageRun(block: 0, pages: 1..<2))
        #expect(map.page(at: 0x9123) == PageRun(block: 1, pages: 11..<12))
        for address: UInt in [0, 0xfff, 0x3000, 0x7fff, 0xa000, .max] { #expect(map.page(at: address) == nil) }
        #expect(map.places[1].host(of: 11..<40) == 0x9000..<0xa000)
        #expect(map.places[1].host(of: 12..<40) == nil)
    }
}
