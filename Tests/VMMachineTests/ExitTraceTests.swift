import Testing

@testable import VMMachine

@Suite struct ExitTraceTests {
    private func port(_ port: UInt64, rip: UInt64 = 0, value: UInt64 = 0) -> ExitRecord {
        ExitRecord(kind: .portWrite, size: 1, count: 1, address: port, value: value, instructionPointer: rip)
    }

    @Test func theLastSixteenAreKeptOldestFirst() {
        let trace = ExitTrace()
        for number in 0..<40 as Range<UInt64> { trace.record(port(number)) }
        #expect(trace.history.map(\.address) == Array(24..<40))
        #expect(trace.exitCounts.map(\.count) == [40])
    }

    @Test func aLoopOnOnePortIsOneEntryWithItsRepetitionsAndLastValue() {
        let trace = ExitTrace()
        trace.record(port(0x80))
        for value in 0..<10 as Range<UInt64> { trace.record(port(0x3f8, rip: 0x1000, value: value)) }
        trace.record(port(0x3f8, rip: 0x2000))
        #expect(trace.history.map(\.address) == [0x80, 0x3f8, 0x3f8])
        #expect(trace.history.map(\.repetitions) == [0, 9, 0])
        #expect(trace.history[1].value == 9)
        #expect(trace.exitCounts.map(\.count) == [12])
    }

    @Test func anEmptyTraceIsEmpty() {
        #expect(ExitTrace().history.isEmpty)
        #expect(ExitTrace().exitCounts.isEmpty)
    }
}
