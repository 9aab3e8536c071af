import KVM

/// What a host, or a machine made on it, has for tracking dirty pages.
public struct DirtyTrackingSupport: Hashable, Sendable {
    /// Whether logs can be cleared by hand (Linux 5.2).
    public var hasManualProtection: Bool
    /// Whether such logs can begin with all pages (Linux 5.7).
    public var hasInitiallySet: Bool
    /// How many entries a ring can have at most; 0 where there are none.
    public var maximumRingEntryCount: Int

    public init(hasManualProtection: Bool, hasInitiallySet: Bool, maximumRingEntryCount: Int) {
        self.hasManualProtection = hasManualProtection
        self.hasInitiallySet = hasInitiallySet
        self.maximumRingEntryCount = maximumRingEntryCount
    }

    /// Of a host or a VM.
    public init(_ source: borrowing some CapabilitySource & ~Copyable) {
        self.init(
            hasManualProtection: source.has(.manualDirtyLogProtect),
            hasInitiallySet: source.canSetDirtyLogsInitially,
            maximumRingEntryCount: source.maximumDirtyRingEntryCount)
    }

    public func has(_ method: DirtyTrackingMethod) -> Bool {
        switch method {
        case .log: true
        case .manual: hasManualProtection
        case .ring: maximumRingEntryCount > 0
        }
    }

    /// The methods there are, the one to prefer first. `manual` takes the least from guests that write much and starts at
    /// once; `ring` has to be asked for, as it is for guests that write to little of much memory, and excludes the others.
    public var methods: [DirtyTrackingMethod] { [.manual, .log, .ring].filter(has) }
}
