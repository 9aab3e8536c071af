import VMHost

/// What becomes of a guest at the destination: decided once, by the thread that receives it, and told to the source however often
/// it asks.
///
/// # How a guest changes hands
///
/// | | source → destination | destination → source | who may run the guest |
/// |---|---|---|---|
/// | 1 | memory, `state`, `end` | | source |
/// | 2 | | `ready`: everything is here | source |
/// | 3 | `commit`: it is yours | | destination, once it has read this; the source no more |
/// | 4 | | `running`, and its vCPUs are let go | destination |
/// | 5 | `settled`: I know | | destination |
///
/// The source decides between 2 and 3: until it has sent `commit`, it can go on. The destination decides when it waits for 3: it
/// either reads a whole `commit` on the link on which it said `ready`, and runs the guest, or that link ends before, and it never
/// does. Either is final, and is this value.
///
/// **Never two.** The destination runs the guest only after a `commit`, which the source sends once, and after which it keeps its
/// machine still. It lets it go on only where it knows that the destination does not run it and never will: no byte of the
/// `commit` got out; the destination says so by `abort`, which it sends only when that was decided; its process is known to have
/// ended; or it answers so when it is asked. That the link ends proves nothing, nor that the process at its other end does, which
/// may be a relay: what counts is the end of the process that the kernel names as the peer, where the destination has named the
/// same one in its hello (`PeerProcess`).
///
/// **Never none.** Where the link is lost after 3 was sent, and before 4 was heard, the source cannot tell which it was. It ends
/// the link for good, connects anew, and asks, with the 128 random bits of the migration in its hello and the feature `question`.
/// The destination goes on listening until the source has `settled` or its process is known to have ended, at most for
/// `IncomingMigration.answerTimeout`; for 2 s where it was cancelled, and for 30 s once the guest has ended here. A question ends
/// the old link here too: it is read up to where nothing more has arrived, and then no more. So there is a verdict, and the
/// source goes on or lets go by it. Who knows less than all 128 bits gets none; nor is a listener believed that does not know
/// the migration, as it is another process. (Whoever can read and change what goes over the network can lie about all of this:
/// a network that is not trusted wants a tunnel.)
///
/// Where no answer comes for `MigrationParameters.rejoinTimeout`, or before it is cancelled in post-copy, nobody can know (the
/// two generals' problem): the source keeps its machine, standing still, and says so (`MigrationError.inDoubt`). The
/// destination waits for 3 as long as its link is there and the source may be at work, at most for the time without progress;
/// then it gives the guest up, and says so.
///
/// Where a process dies, what it alone had is gone: the guest of a source that dies before 3; that of a destination that dies
/// after; and, where a link is lost and the source dies as well before it has asked, the guest that stood still in it.
final class HandOverDecision: Sendable {
    private struct State {
        var isRunning: Bool?
        var isReady = false
        var isSettled = false
    }

    /// As `Hello` names it.
    static let question = "question"

    let migration: MigrationID
    private let state = Monitor(State())

    init(_ migration: MigrationID) {
        self.migration = migration
    }

    /// The source may hear from here on that everything has arrived, and give the guest away.
    func becomeReady() { state.withLock { $0.isReady = true } }
    /// Whether the source may have given it away.
    var isReady: Bool { state.withLock(\.isReady) }

    /// The first counts.
    /// - Parameter isRunning: whether the guest runs here; otherwise it never will.
    func decide(isRunning: Bool) {
        state.change { if $0.isRunning == nil { $0.isRunning = isRunning } }
    }

    /// Waits until it is decided. Whoever asks has ended the link first, so that it soon is.
    var verdict: Verdict {
        Verdict(migration, isRunning: state.wait(\.isRunning))
    }

    /// The source knows.
    func settle() { state.withLock { $0.isSettled = true } }
    var isSettled: Bool { state.withLock(\.isSettled) }
}
