import TestSupport
import Testing
import VMAddressSpace
import VMMemory

@testable import VMDirtyTracking

@Suite struct PageSamplerTests {
    /// 1024 pages, a hole, and 512 more.
    private static let extents = [pages(16..<1040), pages(4096..<4608)]

    private let memory: GuestMemory
    private let regions: [DirtyRateRegion]

    init() throws {
        memory = try GuestMemory(anonymous: Self.extents)
        regions = [
            try #require(DirtyRateRegion(name: "low", ranges: [Self.extents[0]])),
            try #require(DirtyRateRegion(name: "high", ranges: [Self.extents[1]])),
        ]
    }

    private func touch(_ frames: some Sequence<UInt64>, _ value: UInt8) throws {
        for frame in frames { try memory.store(value, at: GuestAddress(frame << 12 + frame % 4096)) }
    }

    /// 32 pages of the low region and 16 of the high one, of which 100 and 300 change each time.
    @Test func `over many samples it is right on the average, in each region`() throws {
        var sampler = PageSampler(regions, pagesPerGibibyte: 8192)
        var random = SeededGenerator(seed: 11)
        let rounds = 400
        var sums = [DirtyPageEstimate(counted: 0), DirtyPageEstimate(counted: 0)]
        for round in 0..<rounds {
            sampler.begin(memory, using: &random)
            try touch(100..<200, UInt8(truncatingIfNeeded: round + 1))
            try touch(4200..<4500, UInt8(truncatingIfNeeded: round + 1))
            for (index, estimate) in sampler.end(memory).enumerated() { sums[index] = sums[index] + estimate }
        }
        for (sum, changed) in zip(sums, [100, 300] as [Double]) {
            #expect(abs(sum.pageCount - changed * Double(rounds)) < 4 * sum.standardError)
            #expect(sum.standardError / Double(rounds) < 10)
        }
    }

    @Test func `a sample of all pages counts`() throws {
        var sampler = PageSampler(regions, pagesPerGibibyte: 1 << 18)
        var random = SeededGenerator(seed: 12)
        sampler.begin(memory, using: &random)
        try touch([16, 17, 1039, 4096, 4607], 1)
        let estimates = sampler.end(memory)
        #expect(estimates.map(\.pageCount) == [3, 2])
        #expect(estimates.map(\.standardError) == [0, 0])
    }

    @Test func `what is written with what was there is not seen, nor what changes between samples`() throws {
        var sampler = PageSampler(regions, pagesPerGibibyte: 1 << 18)
        var random = SeededGenerator(seed: 13)
        try touch(16..<1040, 9)
        sampler.begin(memory, using: &random)
        try touch(16..<1040, 9)
        #expect(sampler.end(memory).map(\.pageCount) == [0, 0])
        try touch(16..<1040, 10)
        sampler.begin(memory, using: &random)
        #expect(sampler.end(memory).map(\.pageCount) == [0, 0])
    }

    @Test func `pages without memory are not looked at`() throws {
        let region = try #require(DirtyRateRegion(name: "half", ranges: [pages(0..<32)]))
        var sampler = PageSampler([region], pagesPerGibibyte: 1 << 18)
        var random = SeededGenerator(seed: 14)
        sampler.begin(memory, using: &random)
        try touch(16..<24, 1)
        let estimate = try #require(sampler.end(memory).first)
        #expect(estimate.pageCount == 16)
        #expect(estimate.standardError > 0)
    }

    @Test func `there are as many pages in a sample as asked for, and two at least`() throws {
        let sampler = PageSampler(regions, pagesPerGibibyte: 512)
        let gibibyte = try #require(DirtyRateRegion(name: "g", ranges: [pages(0..<(1 << 18))]))
        #expect(sampler.sampleSize(of: gibibyte) == 512)
        #expect(regions.map(sampler.sampleSize) == [2, 2])
    }
}

@Suite struct DirtyRateRegionTests {
    @Test func `pages are counted across holes`() throws {
        let region = try #require(DirtyRateRegion(name: "r", ranges: [pages(100..<103), pages(7..<9)]))
        #expect(region.pageCount == 5)
        #expect((0..<6).map { region.address(ofPage: $0)?.frame } == [7, 8, 100, 101, 102, nil])
    }

    @Test func `without memory there is no region`() {
        #expect(DirtyRateRegion(name: "r", ranges: []) == nil)
    }
}
