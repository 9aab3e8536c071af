import Testing

@testable import VMDirtyTracking

@Suite struct DirtyRateTotalsTests {
    private func interval(_ start: Double, _ end: Double, _ pages: UInt64, _ workingSet: UInt64) -> DirtyRateInterval {
        DirtyRateInterval(
            start: .seconds(start), end: .seconds(end), pages: DirtyPageEstimate(counted: pages),
            regions: [DirtyPageEstimate(counted: pages), DirtyPageEstimate(counted: 0)], vcpus: [pages, 1],
            workingSet: workingSet, measuringTime: .milliseconds(2), kernelTime: .milliseconds(1))
    }

    @Test func `the mean is by time, and sums are of all`() {
        var totals = DirtyRateTotals()
        totals.add(interval(0, 1, 100, 100))
        totals.add(interval(1, 4, 500, 450))
        #expect(totals.intervalCount == 2 && totals.duration == .seconds(4))
        #expect(totals.perSecond(totals.pages.pageCount) == 150)
        #expect(totals.regions.map(\.pageCount) == [600, 0])
        #expect(totals.vcpus == [600, 2])
        #expect(totals.workingSet == 450)
        #expect(totals.measuringTime == .milliseconds(4) && totals.kernelTime == .milliseconds(2))
        #expect(abs(totals.peakPagesPerSecond - 500 / 3) < 1e-9)
    }

    @Test func `an interval cut short does not make the peak`() {
        var totals = DirtyRateTotals()
        totals.add(interval(0, 1, 100, 100))
        totals.add(interval(1, 1.01, 50, 100))
        #expect(totals.peakPagesPerSecond == 100)
        #expect(totals.pages.pageCount == 150)
    }

    @Test func `no time has no rate`() {
        #expect(DirtyRateTotals().perSecond(5) == 0)
        #expect(interval(1, 1, 5, 5).perSecond(5) == 0)
    }
}
