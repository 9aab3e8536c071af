import Testing

@testable import KVM

@Suite("What KVM notes of guests of guests") struct NestedStateTests {
    private func isInUse(isVMX: Bool = true, flags: UInt16 = 0, vmxon: UInt64 = .max, isLonger: Bool = false) -> Bool {
        NestedState(.init(isVMX: isVMX, flags: flags, vmxonAddress: vmxon, isLonger: isLonger)).isInUse
    }

    @Test("A vCPU outside of VMX operation, and one of SVM that runs no guest, have nothing of it")
    func idle() {
        #expect(!isInUse())
        #expect(!isInUse(isVMX: false, vmxon: 0))
        // The global interrupt flag of SVM is set unless it was cleared.
        #expect(!isInUse(isVMX: false, flags: 0x100, vmxon: 0))
    }

    @Test("VMX operation, a guest that runs or is about to, and whatever else is noted count")
    func used() {
        #expect(isInUse(vmxon: 0x1000))
        #expect(isInUse(flags: 1))
        #expect(isInUse(isVMX: false, flags: 0x101, vmxon: 0x5000))
        #expect(isInUse(flags: 2))
        #expect(isInUse(isLonger: true))
    }
}
