/// What can be said of how a migration is to go. The names are QEMU's where it has the same.
public struct MigrationParameters: Hashable, Sendable {
    /// How long the guest may stand still at the switch-over: rounds go on until what is left takes no longer to send.
    public var downtimeLimit: Duration
    /// In bytes a second, over all channels, while the guest runs at the source. Nil for as fast as it goes.
    public var maxBandwidth: UInt64?
    /// Whether the guest's processors are slowed down where it would not converge otherwise.
    public var autoConverge: Bool
    /// How much of its time the guest loses at first when it is slowed down, in per cent.
    public var cpuThrottleInitial: Int
    /// How much more with each further round that does not help.
    public var cpuThrottleIncrement: Int
    /// How much at most.
    public var maxCPUThrottle: Int
    /// Whether both sides compare digests of all memory at the switch-over, while the guest stands still: it does not move if
    /// they differ. The comparison is part of the downtime, and not of the downtime limit.
    public var verifiesMemory: Bool
    /// How many connections memory goes over (`multifd-channels`).
    public var channels: Int
    /// How long a peer may move no byte before it is given up.
    public var stallTimeout: Duration
    /// How long a peer may say that it is there, and nothing else, before it is given up. A link that takes longer for
    /// 256 KiB for each channel, as `maxBandwidth` can make it, is no use.
    public var progressTimeout: Duration
    /// Where the link is lost as the guest is given away, how long to ask the destination what has become of it; in
    /// post-copy it is asked until that is cancelled.
    public var rejoinTimeout: Duration
    /// How long to wait for somebody to listen.
    public var connectTimeout: Duration
    /// By which system calls bytes move.
    public var backend: IOBackend
    /// Whether the guest may run at the destination before all of its memory is there.
    public var postCopy: PostCopy

    public init(
        downtimeLimit: Duration = .milliseconds(300), maxBandwidth: UInt64? = nil, autoConverge: Bool = false,
        cpuThrottleInitial: Int = 20, cpuThrottleIncrement: Int = 10, maxCPUThrottle: Int = 99,
        verifiesMemory: Bool = false, channels: Int = 1, stallTimeout: Duration = .seconds(10),
        progressTimeout: Duration = .seconds(300), rejoinTimeout: Duration = .seconds(60),
        connectTimeout: Duration = .seconds(10), backend: IOBackend = .auto, postCopy: PostCopy = .off
    ) {
        self.downtimeLimit = downtimeLimit
        self.maxBandwidth = maxBandwidth
        self.autoConverge = autoConverge
        self.cpuThrottleInitial = cpuThrottleInitial
        self.cpuThrottleIncrement = cpuThrottleIncrement
        self.maxCPUThrottle = maxCPUThrottle
        self.verifiesMemory = verifiesMemory
        self.channels = channels
        self.stallTimeout = stallTimeout
        self.progressTimeout = progressTimeout
        self.rejoinTimeout = rejoinTimeout
        self.connectTimeout = connectTimeout
        self.backend = backend
        self.postCopy = postCopy
    }
}
