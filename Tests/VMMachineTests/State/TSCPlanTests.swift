import Testing

@testable import VMMachine

@Suite("Time-stamp counters of other hosts") struct TSCPlanTests {
    private func plan(_ saved: UInt32, on here: UInt32?, hasControl: Bool = false) -> TSCPlan {
        TSCPlan(saved: saved, here: here, hasControl: hasControl)
    }

    private func isRefusal(_ plan: TSCPlan) -> Bool {
        if case .refuse = plan { true } else { false }
    }

    @Test("A frequency that is the host's, or is not known, is kept", arguments: [true, false])
    func same(_ hasControl: Bool) {
        #expect(plan(2_400_000, on: 2_400_000, hasControl: hasControl) == .keep)
        #expect(plan(0, on: 2_400_000, hasControl: hasControl) == .keep)
        #expect(plan(0, on: nil, hasControl: hasControl) == .keep)
    }

    @Test("A host that can change the frequency gets it exactly")
    func scaled() {
        #expect(plan(2_400_001, on: 2_400_000, hasControl: true) == .set(2_400_001))
        #expect(plan(1, on: nil, hasControl: true) == .set(1))
    }

    @Test("Without that, up to 250 ppm are the same, and more is refused by name")
    func tolerance() {
        #expect(plan(2_000_500, on: 2_000_000) == .keep)
        #expect(plan(1_999_500, on: 2_000_000) == .keep)
        #expect(isRefusal(plan(2_000_501, on: 2_000_000)))
        #expect(isRefusal(plan(1_999_499, on: 2_000_000)))
        #expect(isRefusal(plan(.max, on: 1)))
        #expect(isRefusal(plan(1, on: .max)))
        #expect(isRefusal(plan(2_000_000, on: nil)))
        guard case .refuse(let lack) = plan(3_000_000, on: 2_000_000) else { return }
        #expect(lack.contains("KVM_CAP_TSC_CONTROL") && lack.contains("3000000 kHz") && lack.contains("2000000 kHz"))
    }
}
