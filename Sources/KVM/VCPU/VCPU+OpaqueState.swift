import CKVM
import SystemPackage

/// State that the monitor only carries from one vCPU to another: as bytes in the processor's own layout.
extension VCPU {
    private static let lapicSize = Int(KVM_APIC_REG_SIZE)

    /// The XSAVE area, as large as the host's is. Needs `Capability.xsave`.
    public func xsave() throws(KVMError) -> [UInt8] {
        let isLarge = xsaveSize > MemoryLayout<kvm_xsave>.size
        return try getBytes(.getXSAVE, isLarge ? CKVM_GET_XSAVE2 : CKVM_GET_XSAVE, xsaveSize)
    }

    /// - Throws: `KVMError.call` with `EINVAL` also for an area smaller than the host's.
    public func setXSAVE(_ area: [UInt8]) throws(KVMError) {
        try setBytes(.setXSAVE, CKVM_SET_XSAVE, area, atLeast: xsaveSize)
    }

    /// The registers of the in-kernel local APIC, 1024 bytes.
    public func lapic() throws(KVMError) -> [UInt8] {
        try getBytes(.getLAPIC, CKVM_GET_LAPIC, Self.lapicSize)
    }

    /// - Throws: `KVMError.call` with `EINVAL` also for fewer than 1024 bytes.
    public func setLAPIC(_ registers: [UInt8]) throws(KVMError) {
        try setBytes(.setLAPIC, CKVM_SET_LAPIC, registers, atLeast: Self.lapicSize)
    }

    /// The values of model-specific registers, in the order asked for.
    /// - Throws: `KVMError.call` with `ENXIO` that names the first one the vCPU does not have.
    public func msrs(_ indices: [UInt32]) throws(KVMError) -> [MSREntry] {
        let buffer = msrBuffer(indices.map { MSREntry(index: $0, reserved: 0, data: 0) })
        let count = try descriptor.call(.getMSRs, CKVM_GET_MSRS, buffer.pointer, about: "vCPU \(id)")
        try checkMSRs(.getMSRs, indices, count)
        return buffer.elements(count)
    }

    /// How many model-specific registers can be read before one that the vCPU does not have.
    public func msrCount(readableIn indices: [UInt32]) throws(KVMError) -> Int {
        let buffer = msrBuffer(indices.map { MSREntry(index: $0, reserved: 0, data: 0) })
        return try descriptor.call(.getMSRs, CKVM_GET_MSRS, buffer.pointer, about: "vCPU \(id)")
    }

    /// Sets model-specific registers in order.
    /// - Throws: `KVMError.call` with `ENXIO` that names the first one refused; those before it are then set.
    public func setMSRs(_ entries: [MSREntry]) throws(KVMError) {
        try checkMSRs(.setMSRs, entries.map(\.index), try setMSRs(prefixOf: entries))
    }

    /// Sets model-specific registers in order, up to the first that is refused.
    /// - Returns: how many were set.
    public func setMSRs(prefixOf entries: [MSREntry]) throws(KVMError) -> Int {
        let buffer = msrBuffer(entries)
        return try descriptor.call(.setMSRs, CKVM_SET_MSRS, buffer.pointer, about: "vCPU \(id)")
    }

    private func msrBuffer(_ entries: [MSREntry]) -> FlexibleArray<kvm_msrs, MSREntry> {
        let buffer = FlexibleArray<kvm_msrs, MSREntry>(header: kvm_msrs(), elements: entries)
        buffer.pointer.pointee.nmsrs = UInt32(clamping: entries.count)
        return buffer
    }

    /// Both calls return how many registers they did before one that they could not.
    private func checkMSRs(_ call: KVMCall, _ indices: [UInt32], _ done: Int) throws(KVMError) {
        guard done < indices.count else { return }
        let name = String(indices[done], radix: 16)
        throw .call(call, .noSuchAddressOrDevice, about: "vCPU \(id), MSR 0x\(name)")
    }

    private func getBytes(_ call: KVMCall, _ request: UInt, _ size: Int) throws(KVMError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(KVMError) in
            // The array is not empty, so its buffer has an address.
            _ = try descriptor.call(call, request, buffer.baseAddress!, about: "vCPU \(id)")
        }
        return bytes
    }

    private func setBytes(_ call: KVMCall, _ request: UInt, _ bytes: [UInt8], atLeast size: Int) throws(KVMError) {
        guard bytes.count >= size else {
            throw .call(call, .invalidArgument, about: "vCPU \(id), \(bytes.count) bytes where \(size) are needed")
        }
        var bytes = bytes
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(KVMError) in
            _ = try descriptor.call(call, request, buffer.baseAddress!, about: "vCPU \(id)")
        }
    }
}
