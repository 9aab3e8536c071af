import CKVM
import SystemPackage

/// What KVM has noted of a guest that runs guests of its own (KVM API document, `KVM_GET_NESTED_STATE`).
public struct NestedState: Hashable, Sendable {
    private let header: Header

    /// What it begins with.
    struct Header: Hashable {
        let isVMX: Bool
        let flags: UInt16
        let vmxonAddress: UInt64
        /// Whether more follows it.
        let isLonger: Bool
    }

    init(_ header: Header) {
        self.header = header
    }

    /// Whether there is anything in it that a vCPU without it would lack.
    public var isInUse: Bool {
        let running = UInt16(KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_RUN_PENDING)
        if header.isLonger || header.flags & running != 0 { return true }
        // Outside of VMX operation there is no VMXON region.
        return header.isVMX && header.vmxonAddress != .max
    }
}

extension VCPU {
    /// What it has noted of guests of its guest. Needs `Capability.nestedState`.
    public func nestedState() throws(KVMError) -> NestedState {
        var header = ckvm_nested_header()
        header.size = UInt32(MemoryLayout<ckvm_nested_header>.size)
        var isLonger = false
        do throws(KVMError) {
            header = try descriptor.get(.getNestedState, CKVM_GET_NESTED_STATE, zero: header, about: "vCPU \(id)")
        } catch .call(_, .argListTooLong, _) {
            // There is no room for what follows the header, which only has to be known to be there.
            isLonger = true
        }
        return NestedState(
            NestedState.Header(
                isVMX: header.format == UInt16(KVM_STATE_NESTED_FORMAT_VMX), flags: header.flags,
                vmxonAddress: header.vmxon_pa, isLonger: isLonger))
    }
}
