import Testing

@testable import VMMigration

@Suite("Latencies of requests")
struct RequestLatenciesTests {
    @Test("There is no median of nothing")
    func none() {
        #expect(RequestLatencies().median == nil)
    }

    @Test(
        "The median is at most an eighth too long, and never longer than the longest",
        arguments: [1, 3, 100, 54_321, 7_000_000])
    func median(_ microseconds: Int) throws {
        var latencies = RequestLatencies()
        for _ in 0..<10 { latencies.add(.nanoseconds(1)) }
        for _ in 0..<100 { latencies.add(.microseconds(microseconds)) }
        for _ in 0..<10 { latencies.add(.seconds(60)) }
        let median = try #require(latencies.median)
        #expect(
            median >= .microseconds(microseconds) && median <= .microseconds(microseconds) * 9 / 8 + .nanoseconds(2))
        #expect(latencies.count == 120 && latencies.longest == .seconds(60))
    }

    @Test("No duration is too short or too long")
    func extremes() {
        var latencies = RequestLatencies()
        for duration in [.zero, .seconds(-1), .seconds(Int64.max)] as [Duration] { latencies.add(duration) }
        #expect(latencies.count == 3)
        #expect(latencies.median != nil)
    }
}
