import CTryCopy
import Glibc
import TestSupport
import Testing

@Suite("Loads, stores and compare-exchanges", .timeLimit(.minutes(10)))
struct ScalarTests {
    init() throws { try #require(ctrycopy_install() == 0) }

    private let pattern: UInt64 = 0xf1e2_d3c4_b5a6_9788

    @Test("A load finds the bytes and nothing of its neighbours, at every alignment", arguments: Width.allCases)
    func loads(_ width: Width) throws {
        let pages = try Pages(1)
        for offset in 0..<72 {
            memset(pages.base, 0xee, 128)
            (pages.base + offset).storeBytes(of: pattern, as: UInt64.self)
            #expect(width.load(pages.base + offset).found == pattern & width.mask)
        }
    }

    @Test("A store changes its bytes alone, at every alignment", arguments: Width.allCases)
    func stores(_ width: Width) throws {
        let pages = try Pages(1)
        for offset in 0..<72 {
            memset(pages.base, 0xee, 128)
            #expect(width.store(pages.base + offset, pattern).found == 0)
            var expected = [UInt8](repeating: 0xee, count: 128)
            for byte in 0..<width.rawValue {
                expected[offset + byte] = UInt8(truncatingIfNeeded: pattern >> (8 * byte))
            }
            #expect(Array(pages.bytes.prefix(128)) == expected)
        }
    }

    @Test(
        "A compare-exchange that finds what it expects stores, and any other leaves all as it was",
        arguments: Width.allCases)
    func compareExchanges(_ width: Width) throws {
        let pages = try Pages(1)
        let cell = pages.base + 64
        pages.base.initializeMemory(as: UInt64.self, repeating: .max, count: 16)
        #expect(width.store(cell, pattern).fault == nil)

        #expect(width.compareExchange(cell, expected: ~pattern, desired: 0).found == pattern & width.mask)
        #expect(width.load(cell).found == pattern & width.mask)

        #expect(width.compareExchange(cell, expected: pattern, desired: 0).found == pattern & width.mask)
        #expect(width.load(cell).found == 0)
        let neighbours = pages.bytes.prefix(128).enumerated().filter { !(64..<64 + width.rawValue).contains($0.offset) }
        #expect(neighbours.allSatisfy { $0.element == 0xff })
    }

    @Test("On pages that refuse everything, every access reports its address", arguments: Width.allCases)
    func refused(_ width: Width) throws {
        let pages = try Pages(1)
        pages.protect(0..<1, PROT_NONE)
        for offset in [0, 8, 64, 4088] {
            let fault = Fault.protected(pages.base + offset)
            #expect(width.load(pages.base + offset).fault == fault)
            #expect(width.store(pages.base + offset, pattern).fault == fault)
            #expect(width.compareExchange(pages.base + offset, expected: 0, desired: 1).fault == fault)
        }
    }

    @Test("Read-only pages are read, and refuse stores and every compare-exchange", arguments: Width.allCases)
    func readOnly(_ width: Width) throws {
        let pages = try Pages(1)
        pages.base.storeBytes(of: pattern, as: UInt64.self)
        pages.protect(0..<1, PROT_READ)
        let fault = Fault.protected(pages.base)
        #expect(width.load(pages.base).found == pattern & width.mask)
        #expect(width.store(pages.base, 0).fault == fault)
        #expect(width.compareExchange(pages.base, expected: pattern, desired: 0).fault == fault)
        #expect(width.compareExchange(pages.base, expected: ~pattern, desired: 0).fault == fault)
        #expect(width.load(pages.base).found == pattern & width.mask)
    }

    @Test("Where nothing is mapped, every access says so", arguments: Width.allCases)
    func notMapped(_ width: Width) throws {
        let hole = try #require(UnsafeMutableRawPointer(bitPattern: 0x10))
        #expect(width.load(hole).fault == .notMapped(hole))
        #expect(width.store(hole, 1).fault == .notMapped(hole))
        #expect(width.compareExchange(hole, expected: 0, desired: 1).fault == .notMapped(hole))
    }

    @Test("Addresses of the kernel and addresses of nobody are faults too", arguments: Width.allCases)
    func notTheUsers(_ width: Width) throws {
        let kernel = try #require(UnsafeMutableRawPointer(bitPattern: 0xffff_8000_0000_1000 as UInt))
        #expect(width.load(kernel).fault == .notMapped(kernel))
        #expect(width.store(kernel, 1).fault == .notMapped(kernel))
        let nobodys = try #require(UnsafeMutableRawPointer(bitPattern: 0x8000_0000_0000_0100 as UInt))
        let fault = Fault(nobodys, SIGSEGV, Int(SI_KERNEL))
        #expect(width.load(nobodys).fault == fault)
        #expect(width.store(nobodys, 1).fault == fault)
        #expect(width.compareExchange(nobodys, expected: 0, desired: 1).fault == fault)
    }

    @Test(
        "An access that crosses into a bad page reports the first byte of that page",
        arguments: [Width.two, .four, .eight])
    func crossing(_ width: Width) throws {
        let pages = try Pages(2)
        pages.protect(1..<2, PROT_NONE)
        for before in 1..<width.rawValue {
            let cell = pages.page(1) - before
            #expect(width.load(cell).fault == .protected(pages.page(1)))
            #expect(width.store(cell, pattern).fault == .protected(pages.page(1)))
        }
    }

    @Test("Behind a file that was cut, accesses report a bus error and the rest goes on", arguments: Width.allCases)
    func truncated(_ width: Width) throws {
        let pages = try Pages(ofFile: 2)
        pages.scramble()
        try pages.truncate(to: 1)
        let fault = Fault.pastEndOfFile(pages.page(1))
        #expect(width.load(pages.page(1)).fault == fault)
        #expect(width.store(pages.page(1), 1).fault == fault)
        #expect(width.compareExchange(pages.page(1), expected: 0, desired: 1).fault == fault)
        #expect(width.store(pages.page(0), pattern).fault == nil)
        #expect(width.load(pages.page(0)).found == pattern & width.mask)
        try pages.truncate(to: 2)
        #expect(width.load(pages.page(1)).found == 0)
    }

    @Test("Compare-exchanges of several threads lose no count", arguments: Width.allCases)
    func counting(_ width: Width) throws {
        let pages = try Pages(1)
        let cell = SharedPointer(raw: pages.base)
        try onThreads(4) { _ in
            for _ in 0..<1_000_000 {
                var found = width.load(cell.raw).value
                while true {
                    let result = width.compareExchange(cell.raw, expected: found, desired: found &+ 1)
                    if result.value == found { break }
                    found = result.value
                }
            }
        }
        #expect(width.load(pages.base).found == 4_000_000 & width.mask)
    }
}
