import Testing
import VMAddressSpace
import VMMemory

@Suite("Addresses for devices and the host")
struct DeviceAddressTests {
    @Test("A device's address is the backing's, and the offset in it")
    func deviceAddress() throws {
        let pages = try AccessPages(pages: 4, baseIOVA: 0x10_0000)
        let range = try AccessMemory.range(0x8000, 0x3000)
        let memory = try AccessMemory.make([
            MemoryRegion(range, pages, offset: 0x1000, bitmap: AccessPageSet()),
            AccessMemory.region(0xb000, AccessPages(pages: 1)),
        ])
        #expect(try memory.deviceAddress(of: GuestAddress(0x8000), count: 0x3000) == 0x10_1000)
        #expect(try memory.deviceAddress(of: GuestAddress(0xafff), count: 1) == 0x10_3fff)
        #expect(try memory.deviceAddress(of: GuestAddress(0x9abc), count: 0) == 0x10_2abc)
        let part = try memory.subrange(#require(AddressRange(start: GuestAddress(0x8800), count: 0x100)))
        #expect(try part.deviceAddress(of: GuestAddress(0x10), count: 0xf0) == 0x10_1810)
        for (address, count) in [(0xafff, 2), (0xb000, 1)] as [(UInt64, UInt64)] {
            let error = try AccessMemory.failure {
                _ = try memory.deviceAddress(of: GuestAddress(address), count: count)
            }
            #expect(error.kind == .noHostAddress)
            #expect(error.operation == .translate)
            #expect(error.failing == GuestAddress(address))
        }
        for (address, count) in [(0xc000, 0), (0xafff, 0x1002), (0, 1), (.max, .max)] as [(UInt64, UInt64)] {
            let error = try AccessMemory.failure {
                _ = try memory.deviceAddress(of: GuestAddress(address), count: count)
            }
            #expect(error.kind == .notMapped)
        }
        let outside = try AccessMemory.failure { _ = try part.deviceAddress(of: GuestAddress(0xff), count: 2) }
        #expect(outside.kind == .outOfBounds(last: 0xff))
    }

    @Test("A device's address that would pass 2^64 is none")
    func overflow() throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 4, baseIOVA: 0xffff_ffff_ffff_e000))
        ])
        #expect(try memory.deviceAddress(of: GuestAddress(0x1000), count: 0x1000) == 0xffff_ffff_ffff_f000)
        #expect(throws: GuestMemoryError.self) { try memory.deviceAddress(of: GuestAddress(0x1000), count: 0x1001) }
        #expect(throws: GuestMemoryError.self) { try memory.deviceAddress(of: GuestAddress(0x2000), count: 1) }
    }

    @Test("The whole mapping of a handle is that of its one region")
    func fullMapping() throws {
        let pages = try AccessPages(pages: 4)
        let one = try AccessMemory.make([AccessMemory.region(0, pages)])
        let full = try #require(one.fullMapping)
        #expect(full.bytes.baseAddress == pages.base && full.bytes.count == 0x4000)
        #expect(full.region.access === pages)
        let part = try one.subrange(#require(AddressRange(start: GuestAddress(0x1801), count: 0x27ff)))
        let bytes = try #require(part.fullMapping?.bytes)
        #expect(bytes.baseAddress == pages.base + 0x1801 && bytes.count == 0x27ff)
    }

    @Test("There is no whole mapping of several regions, of one that does not start at 0, or of one without a mapping")
    func noFullMapping() throws {
        let two = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)), AccessMemory.region(0x1000, AccessPages(pages: 1)),
        ])
        #expect(two.fullMapping == nil)
        #expect(try two.subrange(#require(AddressRange(start: GuestAddress(0xfff), count: 2))).fullMapping == nil)
        #expect(
            try two.subrange(#require(AddressRange(start: GuestAddress(0), count: 0x1000))).fullMapping?.bytes.count
                == 0x1000)
        #expect(try AccessMemory.make(at: 0x1000, pages: 1).fullMapping == nil)
        #expect(try AccessMemory.make([AccessMemory.region(0, AccessCalls(pages: 1))]).fullMapping == nil)
    }
}
