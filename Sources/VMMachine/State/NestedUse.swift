import KVM

/// By what it shows that a guest runs guests of its own, whose state is not saved.
enum NestedUse: String, Hashable {
    case vmx = "CR4.VMXE is set"
    case svm = "EFER.SVME is set"
    case guests = "KVM_GET_NESTED_STATE tells of guests of the guest"

    private static let vmxEnable: UInt64 = 1 << 13
    private static let svmEnable: UInt64 = 1 << 12

    /// Nil where there is nothing of it.
    init?(cr4: UInt64, efer: UInt64, _ state: NestedState? = nil) {
        if cr4 & Self.vmxEnable != 0 {
            self = .vmx
        } else if efer & Self.svmEnable != 0 {
            self = .svm
        } else if let state, state.isInUse {
            self = .guests
        } else {
            return nil
        }
    }
}

extension VCPU {
    borrowing func nestedUse(_ support: StateSupport) throws(KVMError) -> NestedUse? {
        let special = try specialRegisters()
        return NestedUse(
            cr4: special.cr4, efer: special.efer, support.hasNestedState ? try nestedState() : nil)
    }
}
