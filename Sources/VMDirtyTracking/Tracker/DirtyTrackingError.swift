import VMRegions

/// Why dirty pages are not tracked, or not reported. Nothing that was written is lost: it is reported later.
public enum DirtyTrackingError: Error, CustomStringConvertible {
    /// The host's KVM lacks the method.
    case unsupported(DirtyTrackingMethod, use: DirtyTrackingMethod)
    /// The machine was made with rings, which exclude the other methods, or without, and then cannot have them.
    case fixed(DirtyTrackingMethod)
    /// The machine was made not to be tracked.
    case switchedOff
    /// It is tracked already; one user at a time harvests.
    case alreadyTracking(DirtyTrackingMethod)
    /// It is not tracked.
    case notTracking
    /// The machine is gone, and its log with it.
    case machineGone
    /// The kernel refused.
    case partition(PartitionError)

    public var description: String {
        switch self {
        case .unsupported(let method, let other):
            "the host's KVM cannot track dirty pages by \"\(method.rawValue)\"; use \"\(other.rawValue)\""
        case .fixed(.ring):
            "the machine was made without dirty rings, which it has to have from the start; "
                + "make it with dirty tracking by \"ring\", or use another method"
        case .fixed(let method):
            "the machine was made with dirty rings, which exclude \"\(method.rawValue)\"; use \"ring\""
        case .switchedOff: "the machine was made with dirty tracking off"
        case .alreadyTracking(let method):
            "dirty pages are tracked already, by \"\(method.rawValue)\"; stop that first"
        case .notTracking: "dirty pages are not tracked; start that first"
        case .machineGone: "the machine is gone, and its dirty log with it"
        case .partition(let error): "\(error)"
        }
    }

    /// Runs `body`, turning its error into this kind.
    static func wrap<Result>(_ body: () throws(PartitionError) -> Result) throws(DirtyTrackingError) -> Result {
        do throws(PartitionError) {
            return try body()
        } catch {
            throw .partition(error)
        }
    }
}
