import Testing
import VMBoot

@testable import VMMachine

@Suite struct BacktraceTests {
    private func makeGuest() throws -> GuestFixture {
        var guest = try GuestFixture()
        try guest.mapIdentity()
        guest.registers.rip = 0x8000
        guest.registers.rsp = 0x9000
        guest.registers.rbp = 0x9100
        return guest
    }

    @Test func framesAreFollowedToTheZeroThatEndsThem() throws {
        let guest = try makeGuest()
        try guest.put(0x9200, at: 0x9100)
        try guest.put(0x8111, at: 0x9108)
        try guest.put(0, at: 0x9200)
        try guest.put(0x8222, at: 0x9208)
        #expect(Backtrace.addresses(guest.view) == [0x8000, 0x8111, 0x8222])
    }

    @Test func aLoopOfFramesEnds() throws {
        let guest = try makeGuest()
        try guest.put(0x9100, at: 0x9100)
        try guest.put(0x8111, at: 0x9108)
        #expect(Backtrace.addresses(guest.view) == [0x8000, 0x8111])
    }

    @Test func aReturnAddressThatIsNotMappedEndsIt() throws {
        let guest = try makeGuest()
        try guest.put(0x9200, at: 0x9100)
        try guest.put(0x4000_0000, at: 0x9108)
        #expect(Backtrace.addresses(guest.view) == [0x8000])
    }

    @Test func afterAJumpToNowhereTheCallerIsOnTheStack() throws {
        var guest = try makeGuest()
        guest.registers.rip = 0xdead_b000
        try guest.put(0x8333, at: 0x9000)
        try guest.put(0, at: 0x9100)
        try guest.put(0x8111, at: 0x9108)
        #expect(Backtrace.addresses(guest.view) == [0xdead_b000, 0x8333, 0x8111])
    }

    private func makeDeepGuest(_ frames: UInt64) throws -> GuestFixture {
        var guest = try makeGuest()
        guest.registers.rbp = 0x1_0000
        for frame in 0..<frames {
            try guest.put(0x1_0000 + (frame + 1) * 16, at: 0x1_0000 + frame * 16)
            try guest.put(0x8000 + frame % 1000, at: 0x1_0008 + frame * 16)
        }
        return guest
    }

    @Test func anEndlessStackIsCutOff() throws {
        let guest = try makeDeepGuest(5000)
        #expect(Backtrace.addresses(guest.view).count == 4096)
        #expect(BacktraceText.lines(guest.view).last == "... more")
    }

    @Test func aDeepRecursionShowsBothItsEnds() throws {
        let lines = BacktraceText.lines(try makeDeepGuest(99).view)
        #expect(lines.count == 17)
        #expect(lines[7].hasPrefix("#7 "))
        #expect(lines[8] == "... 84 frames ...")
        #expect(lines[9].hasPrefix("#92 "))
        #expect(lines[16] == "#99 0000000000008062")
    }

    @Test func inAGuestWithSymbolsReturnAddressesAreInsideThem() throws {
        var guest = try makeGuest()
        guest.symbols = SymbolTable(
            GuestImage(name: "guest", bytes: TinyELF.image(function: "main", at: 0x8000, count: 0x200)))
        try #require(guest.symbols != nil)
        try guest.put(0x9200, at: 0x9100)
        try guest.put(0x8111, at: 0x9108)
        try guest.put(0x9300, at: 0x9200)
        try guest.put(0xe000, at: 0x9208)
        #expect(Backtrace.addresses(guest.view) == [0x8000, 0x8111])
        #expect(BacktraceText.lines(guest.view)[1].hasSuffix("  main+0x111"))
    }
}
