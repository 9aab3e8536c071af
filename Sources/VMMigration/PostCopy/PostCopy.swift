/// Whether the guest may run at the destination before all of its memory is there.
///
/// From that moment on its memory is on two hosts. If either side dies, or the link between them is lost and never comes
/// back, the guest is lost: the destination lacks pages, and what the source has is no longer what the guest has written.
public enum PostCopy: Hashable, Sendable {
    /// It runs there when everything is there.
    case off
    /// So many rounds of pre-copy are made, or fewer where so little is left that post-copy is not needed; then the guest
    /// is switched over, and the rest follows. With 0 nothing is sent before.
    case afterRounds(Int)

    /// As `Hello` names it.
    static let feature = "postcopy"
    /// Of a source that comes back after the link was lost, and of the destination that lacks its pages.
    static let recovery = "recover"

    /// Whether it is time for it.
    func isDue(afterRounds rounds: Int) -> Bool {
        switch self {
        case .off: false
        case .afterRounds(let count): rounds >= count
        }
    }
}
