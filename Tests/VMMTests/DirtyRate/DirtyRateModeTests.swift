import Testing
import VMDirtyTracking
import VMMachine

@testable import VMM

@Suite struct DirtyRateModeTests {
    private static let all = DirtyTrackingSupport(
        hasManualProtection: true, hasInitiallySet: true, maximumRingEntryCount: 65_536)

    private func configure(
        _ mode: DirtyRateMode, _ asked: MachineConfiguration.DirtyTracking, _ support: DirtyTrackingSupport? = all
    ) throws(Failure) -> MachineConfiguration.DirtyTracking {
        var configuration = MachineConfiguration(guest: "dirty", dirtyTracking: asked)
        try mode.configure(&configuration, support)
        return configuration.dirtyTracking
    }

    @Test func `a mode has the machine made for it`() throws {
        #expect(try configure(.pageSampling, .auto) == .off)
        #expect(try configure(.pageSampling, .off) == .off)
        #expect(try configure(.dirtyBitmap, .auto) == .auto)
        #expect(try configure(.dirtyBitmap, .log) == .log)
        #expect(try configure(.dirtyBitmap, .manual) == .manual)
        #expect(try configure(.dirtyRing, .auto) == .ring)
        #expect(try configure(.dirtyRing, .ring) == .ring)
        #expect(try configure(.dirtyRing, .auto, nil) == .ring)
    }

    @Test func `a host without rings is told what to use`() throws {
        let support = DirtyTrackingSupport(hasManualProtection: true, hasInitiallySet: true, maximumRingEntryCount: 0)
        let failure = try #require(throws: Failure.self) { try configure(.dirtyRing, .auto, support) }
        #expect(failure.status == .usage)
        for word in ["--mode dirty-ring", "no dirty rings", "dirty-bitmap", "page-sampling"] {
            #expect(failure.message.contains(word))
        }
    }
}
