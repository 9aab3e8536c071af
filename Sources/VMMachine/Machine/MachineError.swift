import KVM
import VMBoot
import VMDevices
import VMRegions
import VMState

/// Why a machine could not be made or started, or why it could not go on.
public enum MachineError: Error, Sendable {
    /// A value of the configuration, under its key there, is not one this host or this program can do.
    case configuration(key: MachineConfiguration.CodingKeys, String)
    case kvm(KVMError)
    /// The guest's memory cannot be as it should.
    case memory(RegionManagerError)
    /// The host has no such memory, or not as much.
    case backing(RegionBackingError)
    case boot(BootError)
    /// Two devices want the same place.
    case device(BusError)
    /// Saved state is not as it should be.
    case state(StateError)
    /// The host lacks what a saved machine needs, by name.
    case hostLacks([String])
    /// A vCPU, by its number, has state that cannot be saved.
    case unsavable(processor: Int, String)
    /// Its state can only be saved and restored while its vCPUs stand still.
    case notPaused
    /// A machine runs once, and this one has been started before.
    case alreadyStarted
    /// A thread for a vCPU could not be started; the errno.
    case thread(Int32)
}

extension MachineError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .configuration(let key, let message): "\(key.rawValue): \(message)"
        case .kvm(let error): "\(error)"
        case .memory(let error): "\(error)"
        // The host's own errors say what to do.
        case .backing(.bitmap(let name, let error)):
            "\(RegionBackingError.bitmap(name, error)); give the guest less memory"
        case .backing(let error): "\(error)"
        case .boot(let error): "\(error)"
        case .device(let error): "\(error)"
        case .state(let error): "\(error)"
        case .hostLacks(let names):
            "this host lacks what the machine was made with: \(names.joined(separator: ", ")); use a host of the same kind"
        case .unsavable(let processor, let reason):
            "the guest cannot be saved or moved: \(reason) on vCPU \(processor)"
        case .notPaused: "the machine runs; pause it to save or restore its state"
        case .alreadyStarted: "the machine has been started before; make another"
        case .thread(let errno): "cannot start a thread for a vCPU (errno \(errno)); raise the limit on processes"
        }
    }
}
