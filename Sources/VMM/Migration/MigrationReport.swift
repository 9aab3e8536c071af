import VMMigration

/// How far a migration is, as JSON: what QEMU's `query-migrate` says, by its names. Times are in milliseconds.
struct MigrationReport: Encodable {
    struct RAM: Encodable {
        let transferred, remaining, total, duplicate, normal: UInt64
        let normalBytes: UInt64
        let dirtySyncCount: Int
        let dirtyPagesRate: UInt64
        let pageSize: UInt64
        let mbps: Double
        let pagesPerSecond: UInt64
        let precopyBytes, downtimeBytes: UInt64
        let postcopyRequests: UInt64

        private enum CodingKeys: String, CodingKey {
            case transferred, remaining, total, duplicate, normal, mbps
            case normalBytes = "normal-bytes"
            case dirtySyncCount = "dirty-sync-count"
            case dirtyPagesRate = "dirty-pages-rate"
            case pageSize = "page-size"
            case pagesPerSecond = "pages-per-second"
            case precopyBytes = "precopy-bytes"
            case downtimeBytes = "downtime-bytes"
            case postcopyRequests = "postcopy-requests"
        }
    }

    struct Stage: Encodable {
        let name: String
        let milliseconds: Double
    }

    let status: String
    let totalTime: Double
    let setupTime: Double
    let downtime: Double?
    let expectedDowntime: Double?
    let cpuThrottlePercentage: Int
    /// Of requests in post-copy.
    let postcopyLatency, longestPostcopyLatency: Double?
    let ram: RAM
    let downtimeStages: [Stage]?
    let errorDescription: String?

    private enum CodingKeys: String, CodingKey {
        case status, downtime, ram
        case totalTime = "total-time"
        case setupTime = "setup-time"
        case expectedDowntime = "expected-downtime"
        case cpuThrottlePercentage = "cpu-throttle-percentage"
        case postcopyLatency = "postcopy-latency"
        case longestPostcopyLatency = "postcopy-latency-max"
        case downtimeStages = "downtime-stages"
        case errorDescription = "error-desc"
    }

    init(_ progress: MigrationProgress) {
        status = progress.status.rawValue
        totalTime = progress.totalTime.inMilliseconds
        setupTime = progress.setupTime.inMilliseconds
        downtime = progress.downtime?.inMilliseconds
        expectedDowntime = progress.expectedDowntime?.inMilliseconds
        cpuThrottlePercentage = progress.cpuThrottlePercentage
        ram = RAM(
            transferred: progress.transferred, remaining: progress.remaining, total: progress.total,
            duplicate: progress.duplicate, normal: progress.normal, normalBytes: progress.normalBytes,
            dirtySyncCount: progress.dirtySyncCount, dirtyPagesRate: UInt64(progress.dirtyPagesRate),
            pageSize: progress.pageSize, mbps: progress.mbps, pagesPerSecond: UInt64(progress.pagesPerSecond),
            precopyBytes: progress.precopyBytes, downtimeBytes: progress.downtimeBytes,
            postcopyRequests: progress.requests.count)
        postcopyLatency = progress.requests.median?.inMilliseconds
        longestPostcopyLatency = progress.requests.median == nil ? nil : progress.requests.longest.inMilliseconds
        downtimeStages =
            progress.downtimeStages.isEmpty
            ? nil
            : progress.downtimeStages.map { Stage(name: $0.name.rawValue, milliseconds: $0.duration.inMilliseconds) }
        errorDescription = progress.failure
    }
}

extension Duration {
    fileprivate var inMilliseconds: Double { inSeconds * 1000 }
}
