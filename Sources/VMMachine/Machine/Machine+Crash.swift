import KVM
import VMBoot

extension Machine {
    /// What the ending means for the caller; for a crash, with the report. The vCPU threads must be gone.
    func outcome(of ending: RunControl.Ending) -> Outcome {
        switch ending {
        case .outcome(let outcome):
            return outcome
        case .crash(let vcpu, let cause):
            do throws(KVMError) {
                return .crashed(try crashReport(vcpu: vcpu, cause))
            } catch {
                return .failed(.kvm(error))
            }
        }
    }

    private func crashReport(vcpu: Int, _ cause: CrashReport.Cause) throws(KVMError) -> CrashReport {
        let symbols = symbols.flatMap(SymbolTable.init)
        var views: [GuestView] = []
        for processor in processors {
            var cpu = CPUSnapshot(
                index: processor.index, registers: try processor.vcpu.generalRegisters(),
                special: try processor.vcpu.specialRegisters())
            // What is nice to know must not cost the report.
            if let state = try? processor.vcpu.mpState() { cpu.mpState = state }
            if let cpuid = try? processor.vcpu.cpuid() { cpu.physicalAddressBits = cpuid.physicalAddressBits }
            views.append(GuestView(cpu: cpu, memory: memory, symbols: symbols))
        }
        return CrashReport(
            cause: cause, view: views[vcpu], others: views.filter { $0.cpu.index != vcpu },
            history: processors[vcpu].trace.history)
    }
}
