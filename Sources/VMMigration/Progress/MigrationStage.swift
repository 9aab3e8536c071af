/// A point that a source comes to, in this order; told to whoever observes a migration, in the thread of `run()`.
package enum SourceStage: String, Hashable, Sendable, CaseIterable {
    /// About to connect.
    case setup
    /// Connected, and about to say what the machine is made of.
    case connected
    /// The destination has made a machine like it.
    case accepted
    /// A round of memory was sent, while the guest runs.
    case roundEnd
    /// The guest stands still.
    case stopped
    /// All memory was sent and has arrived.
    case memorySent
    /// All state was sent; the destination may be about to answer.
    case stateSent
    /// The destination has everything, and the guest is still the source's.
    case ready
    /// The guest was given away.
    case committed
}

/// A point that a destination comes to, in this order; told as those of `SourceStage` are, in the thread of `receive()`.
package enum DestinationStage: String, Hashable, Sendable, CaseIterable {
    /// A source has connected, and said hello.
    case hello
    /// There is a machine like the source's, and the source knows.
    case accepted
    /// A round of memory has arrived on the main channel.
    case round
    /// The machine has the memory and the state of the source's.
    case restored
    /// The source was told so.
    case readySent
    /// The source has given the guest away.
    case committed
    /// That is settled; the source is not told yet, and the guest does not run yet.
    case taken
}
