/// By which system calls connections move bytes.
public enum IOBackend: Hashable, Sendable {
    /// io_uring where the host lets the process use it, else plain calls.
    case auto
    /// io_uring; an error where there is none.
    case ring
    /// sendmsg(2), writev(2), recv(2), read(2) and poll(2).
    case plain

    /// What `auto` comes to on this host: `ring` or `plain`. Asked once.
    public static var available: IOBackend { support.reason == nil ? .ring : .plain }

    /// The same in words: "io_uring", or "plain system calls (io_uring: not permitted, EPERM)".
    public static var availableDescription: String { support.description }

    private static let support = RingSupport.probe()

    /// What to make of it for a new connection.
    /// - Throws: `.ringUnavailable` for `ring` where there is none.
    func resolved(support: RingSupport = IOBackend.support) throws(TransportError) -> IOBackend {
        switch self {
        case .plain: return .plain
        case .auto: return support.reason == nil ? .ring : .plain
        case .ring:
            if let reason = support.reason { throw .ringUnavailable(reason: reason) }
            return .ring
        }
    }
}
