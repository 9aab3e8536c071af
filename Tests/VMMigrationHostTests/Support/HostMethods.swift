import KVM
import VMDirtyTracking
import VMMachine

/// The methods of dirty tracking that this host has.
let hostMethods: [MachineConfiguration.DirtyTracking] = {
    let all: [MachineConfiguration.DirtyTracking] = [.log, .manual, .ring]
    guard let system = try? KVMSystem() else { return all }
    return all.filter { $0.method.map(DirtyTrackingSupport(system).has) ?? false }
}()
