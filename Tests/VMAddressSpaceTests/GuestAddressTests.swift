import Testing
import VMAddressSpace

@Suite struct GuestAddressTests {
    @Test func `an address advances up to the last one and no further`() {
        #expect(GuestAddress(0x1000).advanced(byBytes: 0x234) == GuestAddress(0x1234))
        #expect(GuestAddress(0).advanced(byBytes: .max) == GuestAddress(.max))
        #expect(GuestAddress(.max).advanced(byBytes: 0) == GuestAddress(.max))
        #expect(GuestAddress(.max).advanced(byBytes: 1) == nil)
        #expect(GuestAddress(1).advanced(byBytes: .max) == nil)
    }

    @Test func `there is a distance only upwards`() {
        #expect(GuestAddress(0x1000).distance(to: GuestAddress(0x1234)) == 0x234)
        #expect(GuestAddress(0).distance(to: GuestAddress(.max)) == .max)
        #expect(GuestAddress(7).distance(to: GuestAddress(7)) == 0)
        #expect(GuestAddress(8).distance(to: GuestAddress(7)) == nil)
    }

    @Test(
        arguments: [
            (0, 0, 0), (1, 0, 0x1000), (0xfff, 0, 0x1000), (0x1000, 0x1000, 0x1000), (0x1001, 0x1000, 0x2000),
            (.max - 0xfff, .max - 0xfff, .max - 0xfff), (.max - 0xffe, .max - 0xfff, nil), (.max, .max - 0xfff, nil),
        ] as [(UInt64, UInt64, UInt64?)])
    func `an address is aligned down always, and up as long as there are addresses`(
        _ address: UInt64, _ down: UInt64, _ up: UInt64?
    ) {
        let page = PageSize.size4K.bytes
        #expect(GuestAddress(address).alignedDown(to: page) == GuestAddress(down))
        #expect(GuestAddress(address).alignedUp(to: page) == up.map { GuestAddress($0) })
        #expect(GuestAddress(address).isAligned(to: page) == (address == down))
    }

    @Test func `every address is aligned to one byte`() {
        for address in [0, 1, 0x1234_5677, .max] as [UInt64] {
            #expect(GuestAddress(address).isAligned(to: 1))
            #expect(GuestAddress(address).alignedDown(to: 1) == GuestAddress(address))
            #expect(GuestAddress(address).alignedUp(to: 1) == GuestAddress(address))
        }
    }

    @Test func `frames are numbered from 0 up to the last page`() {
        #expect(GuestAddress(frame: 0) == GuestAddress(0))
        #expect(GuestAddress(frame: 3) == GuestAddress(0x3000))
        #expect(GuestAddress(frame: 1 << 52 - 1) == GuestAddress(.max - 0xfff))
        #expect(GuestAddress(frame: 1 << 52) == nil)
        #expect(GuestAddress(frame: .max) == nil)
        #expect(GuestAddress(0x3fff).frame == 3)
        #expect(GuestAddress(.max).frame == 1 << 52 - 1)
    }

    @Test func `addresses are shown in hexadecimal`() {
        #expect(GuestAddress(0).description == "0x0")
        #expect(GuestAddress(.max).description == "0xffffffffffffffff")
    }
}
