import TestSupport
import Testing

@testable import VMDirtyTracking

@Suite struct DirtyPageEstimateTests {
    /// All samples that there are, of a population whose lowest numbers are the pages that changed.
    private func allEstimates(of sampleSize: Int, among pages: Int, changed: Int) -> [DirtyPageEstimate] {
        (0..<(1 << pages)).filter { $0.nonzeroBitCount == sampleSize }.map { sample in
            DirtyPageEstimate(
                changed: (sample & ((1 << changed) - 1)).nonzeroBitCount, of: sampleSize, among: UInt64(pages))
        }
    }

    @Test(arguments: 0...10, [1, 2, 4, 9, 10])
    func `over all samples it is right on the average`(changed: Int, sampleSize: Int) {
        let estimates = allEstimates(of: sampleSize, among: 10, changed: changed)
        let mean = estimates.reduce(0) { $0 + $1.pageCount } / Double(estimates.count)
        #expect(abs(mean - Double(changed)) < 1e-9)
    }

    @Test(arguments: 0...10, [2, 4, 9])
    func `over all samples the variance is not less than it is`(changed: Int, sampleSize: Int) {
        let estimates = allEstimates(of: sampleSize, among: 10, changed: changed)
        let squares = estimates.reduce(0) { $0 + ($1.pageCount - Double(changed)) * ($1.pageCount - Double(changed)) }
        let stated = estimates.reduce(0) { $0 + $1.variance } / Double(estimates.count)
        #expect(stated >= squares / Double(estimates.count) * 0.999)
    }

    @Test(arguments: [0, 1, 40, 1000, 2048, 4000, 4096])
    func `it is within two standard errors nearly always`(changed: UInt64) {
        var random = SeededGenerator(seed: changed)
        let rounds = 1000
        var within = 0
        for _ in 0..<rounds {
            let sample = random.distinctNumbers(256, below: 4096)
            let estimate = DirtyPageEstimate(
                changed: sample.count { $0 < changed }, of: sample.count, among: 4096)
            if abs(estimate.pageCount - Double(changed)) <= 2 * estimate.standardError { within += 1 }
        }
        #expect(within > rounds * 93 / 100)
    }

    /// An error that were stated too large would always cover.
    @Test func `the standard error is about the deviation`() {
        var random = SeededGenerator(seed: 5)
        var squares = 0.0
        var variances = 0.0
        for _ in 0..<2000 {
            let sample = random.distinctNumbers(64, below: 4096)
            let estimate = DirtyPageEstimate(changed: sample.count { $0 < 1000 }, of: 64, among: 4096)
            squares += (estimate.pageCount - 1000) * (estimate.pageCount - 1000)
            variances += estimate.variance
        }
        #expect(0.9...1.2 ~= variances / squares)
    }

    @Test func `there is no error where all pages were looked at or counted`() {
        let census = DirtyPageEstimate(changed: 3, of: 10, among: 10)
        #expect(census.pageCount == 3 && census.standardError == 0)
        let counted = DirtyPageEstimate(counted: 7)
        #expect(counted.pageCount == 7 && counted.standardError == 0)
    }

    @Test func `a sample without a change does not show that there is none`() {
        let estimate = DirtyPageEstimate(changed: 0, of: 64, among: 32_768)
        #expect(estimate.pageCount == 0)
        #expect(200...1000 ~= estimate.standardError)
    }

    @Test func `of no page looked at, anything may be`() {
        let estimate = DirtyPageEstimate(changed: 0, of: 0, among: 100)
        #expect(estimate.pageCount == 50 && estimate.standardError == 50)
    }

    @Test func `errors of sums add up like those of independent numbers`() {
        let half = DirtyPageEstimate(changed: 30, of: 60, among: 6000)
        let sum = half + half + DirtyPageEstimate(counted: 5)
        #expect(sum.pageCount == 6005)
        #expect(abs(sum.standardError - half.standardError * 2.0.squareRoot()) < 1e-9)
    }
}
