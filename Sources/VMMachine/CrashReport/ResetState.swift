/// What is left of a triple fault on AMD hosts. On a shutdown intercept the processor's saved state is undefined, so KVM puts
/// the vCPU through INIT before user space can look at it: the registers then say nothing about the guest (AMD64 manual
/// volume 2, section 15.14.3; Intel SDM volume 3, table 11-1 for the state after INIT).
enum ResetState {
    /// Whether these are the registers after INIT. No guest comes to this state by itself: only a reset gives CS a base that
    /// is not its selector's.
    static func isState(of cpu: CPUSnapshot) -> Bool {
        let code = cpu.special.cs
        return cpu.mode == .real && code.selector == 0xf000 && code.base == 0xffff_0000 && cpu.registers.rip == 0xfff0
    }

    /// The sentence about a triple fault whose state is lost.
    static func sentence(_ history: [ExitRecord], _ view: GuestView) -> String {
        let seen = history.last { $0.kind != .shutdown && $0.instructionPointer != 0 }
        let place =
            seen.map { "the guest was last seen at \(view.name($0.instructionPointer))" }
            ?? "the guest had not been seen before"
        return "met a triple fault; this host's processor does not keep the state in which it happened: \(place)"
    }

    /// What stands in the place of the registers.
    static let note = [
        "not shown: the registers are those of a reset processor, not those of the guest when it failed",
        "(on a host with an Intel processor the report has them, the code and a backtrace)",
    ]
}
