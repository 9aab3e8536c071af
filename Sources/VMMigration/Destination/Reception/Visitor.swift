/// Somebody who has said hello, and waits for the answer.
struct Visitor {
    let channel: DestinationChannel
    let hello: Hello
    /// Of the protocol, that both speak.
    let version: UInt32

    /// Whether he wants to move a guest here, and not something of one that has come before.
    var isNewcomer: Bool { !isReturning && !isAsking }
    /// Whether he is the source of a guest in post-copy that has lost its link.
    var isReturning: Bool { hello.features.contains(PostCopy.recovery) }
    /// Whether he wants to know what has become of a guest.
    var isAsking: Bool { hello.features.contains(HandOverDecision.question) }

    func answer(_ features: [String]) throws(MigrationError) {
        try channel.answer(hello, version, features)
    }

    /// How long one who asks may take to say that he has heard.
    private static let settlingTime = Duration.seconds(5)

    /// Answers what he asks, and waits until he says that he has heard.
    func tell(_ verdict: Verdict) throws(MigrationError) {
        defer { channel.connection.shutDown() }
        try answer([HandOverDecision.question])
        channel.beginAnswering()
        try channel.reply(verdict)
        channel.connection.stallTimeout = Self.settlingTime
        channel.progressTimeout = Self.settlingTime
        _ = try channel.nextFrame()
    }

    /// Sends him away.
    func refuse(_ reason: String) {
        channel.abort(reason)
        channel.connection.shutDown()
    }
}
