import Testing

@testable import VMM

@Suite struct NumberTextTests {
    @Test(
        arguments: [
            (0, "0"), (1, "1"), (1.5, "1.5"), (-0.001, "0"), (-2.25, "-2.25"), (0.05, "0.05"), (9.999, "10"),
            (100, "100"),
            (1e300, "1e+300"), (.infinity, "–"), (.nan, "–"),
        ] as [(Double, String)])
    func `a number has two digits after the point at most, and no zeros at its end`(_ number: Double, _ text: String) {
        #expect(number.decimal(places: 2) == text)
    }

    @Test func `digits can be kept`() {
        #expect(2.0.decimal(exactPlaces: 2) == "2.00" && 0.05.decimal(exactPlaces: 1) == "0.1")
        #expect(12.0.decimal(exactPlaces: 0) == "12")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1_047_552, "1023 KiB"),
            (1_048_575, "1 MiB"), (12_582_912, "12 MiB"), (129_000_000_000, "120 GiB"), (0x1p60, "1 EiB"),
            (0x1p90, ">999 EiB"), (-5, "0 B"),
        ] as [(Double, String)])
    func `bytes are rounded to three digits or four`(_ bytes: Double, _ text: String) {
        #expect(ByteText.rounded(bytes) == text)
    }

    @Test func `bytes in a column keep their zeros`() {
        #expect(ByteText.aligned(1024 * 1024) == "1.00 MiB")
        #expect(ByteText.aligned(76 * 1024) == "76.0 KiB")
        #expect(ByteText.aligned(12) == "12 B" && ByteText.aligned(0x1p90) == ">999 EiB")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1, "1 B"), (1000, "1000 B"), (640 << 10, "640 KiB"), (5 << 28, "1.25 GiB"), (1 << 40, "1 TiB"),
            (9 << 27, nil), (.max, nil), (1 << 63, "8 EiB"), (4097, nil),
        ] as [(UInt64, String?)])
    func `bytes are exact in two digits after the point or not at all`(_ bytes: UInt64, _ text: String?) {
        #expect(ByteText.exact(bytes) == text)
    }

    @Test(
        arguments: [
            (.zero, "0 s"), (.nanoseconds(20), "20 ns"), (.nanoseconds(999_900), "1 ms"), (.microseconds(15), "15 µs"),
            (.milliseconds(250), "250 ms"), (.milliseconds(1500), "1.5 s"), (.seconds(119), "119 s"),
            (.seconds(120), "2 min"), (.seconds(125), "2:05 min"), (.seconds(7199), "119:59 min"),
            (.seconds(7200), "2 h"), (.seconds(9000), "2:30 h"),
        ] as [(Duration, String)])
    func `times have the unit that suits them`(_ duration: Duration, _ text: String) {
        #expect(DurationText.rounded(duration) == text)
    }

    @Test func `thousands are set apart, and one is no plural`() {
        #expect(UInt64(999).grouped == "999")
        #expect([0, 1, 2].map { UInt64($0).counted("page") } == ["0 pages", "1 page", "2 pages"])
        #expect(UInt64(1_234_567).grouped == "1\u{202f}234\u{202f}567")
    }

    @Test(arguments: [0.003, 0.5, 1, 1.1, 7, 20, 20.5, 59, 61, 500, 3601, 40_000, 1e7])
    func `steps of time are no shorter than asked for, nor three times as long`(_ seconds: Double) {
        let step = TickSteps.seconds(atLeast: seconds)
        #expect(step >= seconds * 0.999 && step < seconds * 3)
    }

    @Test func `steps are numbers that are easy to count in`() {
        #expect([0.7, 1, 1.3, 3, 6, 11].map(TickSteps.decimal(atLeast:)) == [1, 1, 2, 5, 10, 20])
        #expect([0, 1, 3, 1e6, 0x1p70].map(TickSteps.binary(atLeast:)) == [1, 1, 4, 1 << 20, 1 << 63])
        #expect(TickSteps.decimal(atLeast: .nan) > 0 && TickSteps.decimal(atLeast: 0) > 0)
    }
}
