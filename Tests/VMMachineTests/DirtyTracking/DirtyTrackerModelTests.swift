import Testing

/// A tracker against sets: random writes, harvests and changes, of which some fail.
@Suite("A tracker of memory that changes, with calls that fail") struct DirtyTrackerModelTests {
    @Test(
        "Each page that was written is reported once, and no other",
        .timeLimit(.minutes(5)), arguments: [false, true], [1, 2, .random(in: 3...(.max))] as [UInt64])
    func operations(_ hasRings: Bool, _ seed: UInt64) throws {
        let model = try TrackerModel(hasRings: hasRings, seed: seed)
        for _ in 0..<20_000 { try model.step() }
        let (failures, reports) = (model.failureCount, model.reportedCount)
        let harvests = model.guest.harvesting.map(\.harvestCount)
        #expect(harvests.allSatisfy { $0 > 300 }, "seed \(seed)")
        #expect(failures > 300 && reports > 10_000, "seed \(seed)")
    }
}
