import Testing
import VMAddressSpace

@Suite struct PageSizeTests {
    @Test(arguments: PageSize.allCases)
    func `bytes, shift and mask say the same`(_ size: PageSize) {
        #expect(1 << size.shift == size.bytes)
        #expect(size.mask == size.bytes - 1)
    }

    @Test func `sizes ascend`() {
        #expect(PageSize.allCases == [.size4K, .size2M, .size1G])
        #expect(PageSize.allCases.sorted() == PageSize.allCases)
        #expect(PageSize.allCases.map(\.description) == ["4 KiB", "2 MiB", "1 GiB"])
    }

    @Test(
        arguments: [
            (0, .size1G), (1 << 30, .size1G), (3 << 30, .size1G), (1 << 63, .size1G), (1 << 29, .size2M),
            (1 << 30 | 1 << 21, .size2M), (1 << 20, .size4K), (1 << 30 | 0x1000, .size4K), (.max - 0xfff, .size4K),
            (0x800, nil), (1, nil), (.max, nil),
        ] as [(UInt64, PageSize?)])
    func `the largest page size that divides a number is found`(_ number: UInt64, _ size: PageSize?) {
        #expect(PageSize.largest(dividing: number) == size)
    }
}
