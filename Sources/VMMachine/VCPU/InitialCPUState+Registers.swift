import CKVM
import KVM
import VMBoot

extension VCPU {
    /// Puts a vCPU that has not run yet at the guest's first instruction.
    borrowing func setInitialState(_ state: InitialCPUState) throws(KVMError) {
        var special = try specialRegisters()
        state.apply(to: &special)
        try setSpecialRegisters(special)
        try setGeneralRegisters(state.kernelRegisters)
    }
}

extension InitialCPUState {
    fileprivate var kernelRegisters: kvm_regs {
        let r = registers
        return kvm_regs(
            rax: r.rax, rbx: r.rbx, rcx: r.rcx, rdx: r.rdx, rsi: r.rsi, rdi: r.rdi, rsp: r.rsp, rbp: r.rbp,
            r8: r.r8, r9: r.r9, r10: r.r10, r11: r.r11, r12: r.r12, r13: r.r13, r14: r.r14, r15: r.r15,
            rip: rip, rflags: rflags)
    }

    /// Leaves alone what a guest image has no say in, the APIC base above all.
    fileprivate func apply(to special: inout kvm_sregs) {
        special.cs = cs.kernelSegment
        special.ds = ds.kernelSegment
        special.es = es.kernelSegment
        special.fs = fs.kernelSegment
        special.gs = gs.kernelSegment
        special.ss = ss.kernelSegment
        special.tr = tr.kernelSegment
        special.ldt = ldt.kernelSegment
        special.gdt = gdt.kernelTable
        special.idt = idt.kernelTable
        special.cr0 = cr0
        special.cr3 = cr3
        special.cr4 = cr4
        special.efer = efer
    }
}

extension Segment {
    fileprivate var kernelSegment: kvm_segment {
        var segment = kvm_segment()
        segment.base = base
        segment.limit = limit
        segment.selector = selector
        segment.type = attributes.type
        segment.s = attributes.contains(.codeOrData) ? 1 : 0
        segment.dpl = attributes.privilegeLevel
        segment.present = attributes.contains(.present) ? 1 : 0
        segment.l = attributes.contains(.long) ? 1 : 0
        segment.db = attributes.contains(.default32Bit) ? 1 : 0
        segment.g = attributes.contains(.pageGranularity) ? 1 : 0
        return segment
    }
}

extension DescriptorTable {
    fileprivate var kernelTable: kvm_dtable {
        var table = kvm_dtable()
        table.base = base.rawValue
        table.limit = limit
        return table
    }
}
