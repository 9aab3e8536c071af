/// Who can be asked what KVM can do: the host as a whole, or a virtual machine of its, for which it may be less.
public protocol CapabilitySource: ~Copyable {
    /// The value of a capability: zero where it is not there, otherwise one or what the capability counts.
    func value(of capability: Capability) -> Int
}

extension CapabilitySource where Self: ~Copyable {
    /// Whether the capability is there at all.
    public func has(_ capability: Capability) -> Bool {
        value(of: capability) > 0
    }
}
