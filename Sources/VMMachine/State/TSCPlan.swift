import KVM

/// What is to be done for a guest to see its time-stamp counter run as before: a pure value.
enum TSCPlan: Hashable {
    case keep
    /// To so many kHz.
    case set(UInt32)
    /// The host cannot, for the reason given.
    case refuse(String)

    /// Frequencies that differ by less, in millionths, are the same: clocks that follow the network's time drift by as much,
    /// and KVM (`tsc_tolerance_ppm`) and QEMU take them for the same.
    private static let tolerance: UInt64 = 250

    /// - Parameters:
    ///   - saved: the guest's, in kHz; 0 where it is not known.
    ///   - here: the host's; nil where it does not tell.
    ///   - hasControl: whether the host can change it (`Capability.tscControl`).
    init(saved: UInt32, here: UInt32?, hasControl: Bool) {
        if saved == 0 || saved == here {
            self = .keep
        } else if hasControl {
            self = .set(saved)
        } else if let here, Self.isSame(saved, here) {
            self = .keep
        } else {
            self = .refuse(
                "KVM_CAP_TSC_CONTROL (the guest's time-stamp counter runs at \(saved) kHz, this host's at "
                    + "\(here.map { "\($0) kHz" } ?? "a frequency that it does not tell"))")
        }
    }

    private static func isSame(_ one: UInt32, _ other: UInt32) -> Bool {
        let difference = one > other ? one - other : other - one
        return UInt64(difference) * 1_000_000 <= UInt64(other) * tolerance
    }
}

extension VCPU {
    /// Gives its time-stamp counter the frequency of another's, where that is not its own.
    /// - Throws: `hostLacks`, `kvm`.
    borrowing func setTSC(like model: SavedProcessorModel, _ support: StateSupport) throws(MachineError) {
        var here: UInt32?
        if support.hasTSCFrequency, let known = try? tscKilohertz(), known > 0 { here = known }
        switch TSCPlan(saved: model.tscKilohertz, here: here, hasControl: support.hasTSCControl) {
        case .keep: break
        case .set(let kilohertz):
            do throws(KVMError) { try setTSCKilohertz(kilohertz) } catch { throw .kvm(error) }
        case .refuse(let lack): throw .hostLacks([lack])
        }
    }
}
