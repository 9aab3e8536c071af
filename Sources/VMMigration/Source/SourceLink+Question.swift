import VMHost

extension SourceLink {
    /// Connects once more, and asks what has become of the guest that was given away.
    /// - Parameter deadline: until when to try to connect; nil for as long as at first.
    /// - Returns: whether it runs at the destination. It never will where it does not.
    /// - Throws: where nobody has answered who knows of it.
    func askVerdict(until deadline: MonotonicTime?) throws(MigrationError) -> Bool {
        var parameters = parameters
        if let deadline { parameters.connectTimeout = min(parameters.connectTimeout, max(deadline - .now, .zero)) }
        let channel = SourceChannel(
            try Self.connect(uri, parameters, cancellation), 0, counters, nil,
            progressTimeout: parameters.progressTimeout)
        defer { channel.connection.shutDown() }
        // Keepalives do not stretch it beyond the deadline.
        channel.progressTimeout = timeLeft(until: deadline)
        let answer = try channel.greet(
            Hello(side: .source, program: Self.program, migration: id, features: [HandOverDecision.question]))
        guard answer.features.contains(HandOverDecision.question) else {
            throw .refused(by: .source, "whoever listens at \(uri) now knows nothing of the guest")
        }
        channel.beginAsking()
        channel.progressTimeout = timeLeft(until: deadline)
        let verdict: Verdict = try channel.receive()
        guard verdict.migration == id else {
            throw .refused(by: .source, "the answer is about another migration")
        }
        try? channel.send(.settled)
        return verdict.isRunning
    }

    private func timeLeft(until deadline: MonotonicTime?) -> Duration {
        guard let deadline else { return parameters.progressTimeout }
        return min(parameters.progressTimeout, max(deadline - .now, .zero))
    }
}
