import VMDirtyTracking
import VMMachine

/// A machine of ours and one of the baseline's for a method, both with the guest `writer`.
struct WriterPair {
    let method: DirtyTrackingMethod
    let ours: WriterMachine
    let baseline: WriterBaseline
    let cpus: SplitCPUs

    /// Of the dirty rings; ours has as many by default.
    static let ringSize: UInt32 = 4096

    init(_ method: DirtyTrackingMethod, image: [UInt8]) throws {
        self.method = method
        cpus = SplitCPUs()
        (ours, baseline) = try cpus.startVCPUs {
            (
                try WriterMachine(method.configuration, image: image),
                WriterBaseline(ringSize: method == .ring ? Self.ringSize : 0, image: image)
            )
        }
    }
}

extension DirtyTrackingMethod {
    var configuration: MachineConfiguration.DirtyTracking {
        switch self {
        case .log: .log
        case .manual: .manual
        case .ring: .ring
        }
    }
}
