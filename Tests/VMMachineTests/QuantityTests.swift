import Testing
import VMAddressSpace
import VMMachine

@Suite struct QuantityTests {
    @Test(
        arguments: [
            ("0", 0), ("4096", 4096), ("0x1000", 4096), ("64M", 64 << 20), ("64m", 64 << 20), ("64MB", 64 << 20),
            ("64MiB", 64 << 20), ("1G", 1 << 30), ("512K", 512 << 10), ("2T", 2 << 40), ("0XFF", 255),
            ("18446744073709551615", .max),
        ] as [(String, UInt64)])
    func sizesAreReadWithTheirUnits(_ text: String, _ bytes: UInt64) {
        #expect(ByteSize(text)?.bytes == bytes)
    }

    @Test(arguments: [
        "", "M", "-1", "+1", "1.5G", "1X", "0x", "0xg", "1 G", "18446744073709551616", "16777216T", "６４M", "1GG", "B",
        "0x-1",
    ])
    func whatIsNoSizeIsRefused(_ text: String) {
        #expect(ByteSize(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0"), (1, "1"), (1023, "1023"), (1024, "1K"), (1 << 20, "1M"), (3 << 30, "3G"), (5 << 40, "5T"),
            ((1 << 20) + 1, "1048577"),
        ] as [(UInt64, String)])
    func sizesAreShownInTheLargestUnitThatDividesThem(_ bytes: UInt64, _ text: String) {
        #expect(ByteSize(bytes: bytes).description == text)
        #expect(ByteSize(text)?.bytes == bytes)
    }

    @Test(
        arguments: [
            ("10", .seconds(10)), ("10s", .seconds(10)), ("500ms", .milliseconds(500)), ("2m", .seconds(120)),
            ("1h", .seconds(3600)), ("1.5s", .milliseconds(1500)),
        ] as [(String, Duration)])
    func timesAreReadWithTheirUnits(_ text: String, _ duration: Duration) {
        #expect(TimeLimit(text)?.duration == duration)
    }

    @Test(arguments: [
        "", "s", "0", "0s", "0.5ms", "-1s", "+1", "1e9", "nan", "inf", "1d", "1 s", "9999999999999h", ".",
    ])
    func whatIsNoTimeIsRefused(_ text: String) {
        #expect(TimeLimit(text) == nil)
    }

    @Test(arguments: [("10s", "10s"), ("500ms", "500ms"), ("1.5s", "1500ms"), ("2m", "120s")])
    func timesAreShownExactly(_ text: String, _ shown: String) {
        #expect(TimeLimit(text)?.description == shown)
    }

    @Test func addressesAreReadInHexadecimalOrWithUnits() {
        #expect(HexAddress("0x100000")?.address == GuestAddress(0x10_0000))
        #expect(HexAddress("1M")?.address == GuestAddress(0x10_0000))
        #expect(HexAddress("0x1_0000") == nil)
    }
}
