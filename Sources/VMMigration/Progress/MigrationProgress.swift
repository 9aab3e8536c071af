import VMAddressSpace

/// Where a migration is. The names are QEMU's.
public enum MigrationStatus: String, Hashable, Sendable, CaseIterable {
    /// Not begun.
    case none
    /// Connecting, and agreeing on what the machine is made of.
    case setup
    /// The guest runs at the source, and its memory is copied.
    case active
    /// The guest stands still, and the rest is sent.
    case device
    /// Everything was sent, and the destination is about to get the guest.
    case preSwitchover = "pre-switchover"
    /// The guest runs at the destination, which lacks pages.
    case postcopyActive = "postcopy-active"
    /// The same, and the link is lost: a processor that needs a page waits.
    case postcopyPaused = "postcopy-paused"
    /// A new link is there, and the sides find out what is still missing.
    case postcopyRecover = "postcopy-recover"
    case completed
    case failed
    case cancelling
    case cancelled
}

/// A round of pre-copy.
public struct MigrationRound: Hashable, Sendable {
    /// From 0.
    public var number = 0
    /// Whether the guest stood still meanwhile, so that nothing is left after it.
    public var isLast = false
    /// How many pages were to be sent.
    public var dirtyPages: UInt64 = 0
    public var sent = PageCounts()
    public var duration = Duration.zero
    /// How long it took to find what was dirty.
    public var harvestDuration = Duration.zero
    /// How many per cent of the time the guest's processors were kept out.
    public var throttlePercent = 0
    /// How many pages the guest wrote meanwhile.
    public var pendingPages: UInt64 = 0
    /// How long the downtime would have been after it.
    public var expectedDowntime: Duration?

    public init() {}

    /// In bytes a second.
    public var bandwidth: Double { duration.seconds > 0 ? Double(sent.bytes) / duration.seconds : 0 }
    /// How fast the guest wrote pages, a second.
    public var dirtyPagesRate: Double { duration.seconds > 0 ? Double(pendingPages) / duration.seconds : 0 }
}

/// What the guest stood still for.
public struct DowntimeStage: Hashable, Sendable {
    public enum Name: String, Hashable, Sendable, CaseIterable {
        case stopProcessors = "stop the vCPUs"
        case harvest = "read the dirty log"
        case memory = "send the last pages"
        case saveState = "save the state"
        /// On both sides, one after the other.
        case compareMemory = "compare the memory"
        case sendState = "send the state"
        case restore = "restore the state"
        case handOver = "hand over"
    }

    public let name: Name
    public internal(set) var duration: Duration

    public init(name: Name, duration: Duration) {
        self.name = name
        self.duration = duration
    }
}

/// How far a migration is, at one moment.
public struct MigrationProgress: Hashable, Sendable {
    public var status = MigrationStatus.none
    /// Since it began, until it ended.
    public var totalTime = Duration.zero
    /// From its beginning until memory was sent.
    public var setupTime = Duration.zero
    /// How long the guest stood still: from when it was told to, until the destination said that it lets it go on.
    public var downtime: Duration?
    /// How long it would if it were switched over now.
    public var expectedDowntime: Duration?
    /// How many per cent of the time the guest's processors are kept out.
    public var cpuThrottlePercentage = 0
    /// Of memory, in bytes.
    public var total: UInt64 = 0
    public var remaining: UInt64 = 0
    /// All bytes that were sent.
    public var transferred: UInt64 = 0
    /// Of those, while the guest stood still.
    public var downtimeBytes: UInt64 = 0
    /// In pages.
    public var normal: UInt64 = 0
    public var duplicate: UInt64 = 0
    /// How often what was dirty was found out.
    public var dirtySyncCount = 0
    /// A second.
    public var dirtyPagesRate: Double = 0
    /// In bytes a second.
    public var bandwidth: Double = 0
    /// The rounds so far.
    public var rounds: [MigrationRound] = []
    public var downtimeStages: [DowntimeStage] = []
    /// How often pages were asked for in post-copy, because a processor waited for them, and how long they took: at the
    /// source, from the request's arrival until they were sent; at the destination, from the fault until they were there.
    public var requests = RequestLatencies()
    /// How often the link was lost in post-copy.
    public var pauses = 0
    /// Why it failed, or why the link was lost last.
    public var failure: String?

    public init() {}

    /// In bytes.
    public var pageSize: UInt64 { PageSize.size4K.bytes }
    public var normalBytes: UInt64 { normal * pageSize }
    /// While the guest ran.
    public var precopyBytes: UInt64 { transferred - min(downtimeBytes, transferred) }
    /// In 10^6 bits a second.
    public var mbps: Double { bandwidth * 8 / 1e6 }
    public var pagesPerSecond: Double { bandwidth / Double(pageSize) }
}
