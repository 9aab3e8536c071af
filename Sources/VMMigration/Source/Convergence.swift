import VMHost

/// Decides after each round of pre-copy whether to switch over, to go on, or to slow the guest down: a pure value.
struct Convergence {
    /// What to do next.
    enum Step: Hashable {
        /// What is left takes no longer than the downtime limit, and a further round would not make it much less.
        case switchOver
        case anotherRound
        /// As `anotherRound`, with the guest's processors kept out for so many per cent of the time.
        case throttle(percent: Int)
    }

    private let parameters: MigrationParameters
    /// In bytes a second: of the last rounds, the later ones counting more.
    private(set) var bandwidth: Double?
    private(set) var throttlePercent = 0
    /// How often in a row a round left as much as it found.
    private var fruitlessRounds = 0
    /// How many rounds there were beyond what the downtime limit asks for.
    private var extraRounds = 0

    /// Rounds of fewer bytes say little about how fast bytes go.
    private static let tellingBytes: UInt64 = 1 << 20
    /// Of what a round found dirty, as much has to be gone after it for it to count as progress.
    private static let progress = 0.9
    /// So many rounds without progress before the guest is slowed down.
    private static let patience = 2
    /// The limit is what is allowed, not what is aimed at: as long as rounds leave less than this of what they found, they go on.
    private static let worthwhile = 0.7
    /// But only so many, and not for less than this.
    private static let extraRoundLimit = 6
    private static let negligibleDowntime = Duration.milliseconds(2)

    init(_ parameters: MigrationParameters) {
        self.parameters = parameters
    }

    /// How long it would take to send what is left.
    func expectedDowntime(_ pending: UInt64) -> Duration? {
        bandwidth.map { .nanoseconds(Int64(min(Double(pending) / $0 * 1e9, 1e18))) }
    }

    /// - Parameters:
    ///   - sent: bytes of the round, and how long they took.
    ///   - found: bytes of pages that were to be sent in the round.
    ///   - pending: bytes of pages that were written meanwhile.
    mutating func next(sent: UInt64, in duration: Duration, found: UInt64, pending: UInt64) -> Step {
        measure(sent, duration)
        guard let expected = expectedDowntime(pending) else { return pending == 0 ? .switchOver : .anotherRound }
        if expected <= parameters.downtimeLimit {
            let isWorthwhile = Double(pending) < Double(found) * Self.worthwhile
            guard expected > Self.negligibleDowntime, isWorthwhile, extraRounds < Self.extraRoundLimit else {
                return .switchOver
            }
            extraRounds += 1
            return .anotherRound
        }
        fruitlessRounds = Double(pending) < Double(found) * Self.progress ? 0 : fruitlessRounds + 1
        guard parameters.autoConverge, fruitlessRounds >= Self.patience else { return .anotherRound }
        fruitlessRounds = 0
        throttlePercent = nextThrottle
        return .throttle(percent: throttlePercent)
    }

    /// The parameters are anybody's.
    private var nextThrottle: Int {
        guard throttlePercent > 0 else { return min(parameters.cpuThrottleInitial, parameters.maxCPUThrottle) }
        let (more, isTooMuch) = throttlePercent.addingReportingOverflow(parameters.cpuThrottleIncrement)
        return isTooMuch ? parameters.maxCPUThrottle : min(more, parameters.maxCPUThrottle)
    }

    private mutating func measure(_ bytes: UInt64, _ duration: Duration) {
        let seconds = duration.seconds
        guard seconds > 0, bytes > 0, bandwidth == nil || bytes >= Self.tellingBytes else { return }
        let now = Double(bytes) / seconds
        bandwidth = bandwidth.map { ($0 + 2 * now) / 3 } ?? now
    }
}

extension Duration {
    /// In seconds.
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
