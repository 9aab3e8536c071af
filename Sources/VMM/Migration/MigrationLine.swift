import VMMigration

/// How far a migration is, in a line.
struct MigrationLine {
    let text: String

    init(_ progress: MigrationProgress) {
        switch progress.status {
        case .completed: text = Self.completed(progress)
        case .failed, .cancelled: text = "migration \(progress.status.rawValue): \(progress.failure ?? "")"
        default: text = Self.underWay(progress)
        }
    }

    private static func completed(_ progress: MigrationProgress) -> String {
        "migration completed: \(ByteText.rounded(progress.transferred)) in \(DurationText.rounded(progress.totalTime)), "
            + "\(progress.rounds.count) rounds, guest stopped for \(DurationText.rounded(progress.downtime ?? .zero))"
            + requests(progress)
    }

    private static func requests(_ progress: MigrationProgress) -> String {
        guard let median = progress.requests.median else { return "" }
        return ", \(progress.requests.count) pages on request (median \(DurationText.rounded(median)), "
            + "longest \(DurationText.rounded(progress.requests.longest)))"
    }

    private static func underWay(_ progress: MigrationProgress) -> String {
        var parts = ["migration \(progress.status.rawValue)"]
        if progress.total > 0 {
            parts.append("round \(progress.rounds.count)")
            parts.append("\(ByteText.rounded(progress.remaining)) left")
            parts.append("\(ByteText.rounded(progress.transferred)) sent")
        }
        if progress.status.isPostCopy {
            if progress.status != .postcopyActive, let failure = progress.failure { parts.append(failure) }
            return parts.joined(separator: ", ") + requests(progress)
        }
        // The destination is asked what has become of the guest.
        if let failure = progress.failure { return (parts + [failure]).joined(separator: ", ") }
        if progress.bandwidth > 0 {
            parts.append("\(ByteText.rate(progress.bandwidth))")
            parts.append("dirtied \(ByteText.rate(progress.dirtyPagesRate * Double(progress.pageSize)))")
        }
        if let expected = progress.expectedDowntime { parts.append("downtime about \(DurationText.rounded(expected))") }
        if progress.cpuThrottlePercentage > 0 { parts.append("CPUs slowed by \(progress.cpuThrottlePercentage) %") }
        return parts.joined(separator: ", ")
    }
}
