import Testing

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

    @Test func anEndlessStackIsCutOff() throws {
        let guest = try makeGuest()
        for frame in 0..<100 as Range<UInt64> {
            try guest.put(0x9100 + (frame + 1) * 16, at: 0x9100 + frame * 16)
            try guest.put(0x8000 + frame, at: 0x9108 + frame * 16)
        }
        #expect(Backtrace.addresses(guest.view).count == 32)
    }
}
