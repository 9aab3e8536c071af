import KVM
import Testing

@testable import VMMachine

@Suite("Guests that run guests") struct NestedUseTests {
    @Test("It shows in the control registers")
    func registers() {
        #expect(NestedUse(cr4: 0x20, efer: 0xd01) == nil)
        #expect(NestedUse(cr4: 0x2020, efer: 0xd01) == .vmx)
        #expect(NestedUse(cr4: 0x20, efer: 0x1d01) == .svm)
    }
}
