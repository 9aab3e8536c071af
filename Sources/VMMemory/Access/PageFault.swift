/// Why an access through a backing's mapping failed.
public struct PageFault: Hashable, Sendable {
    public enum Cause: Hashable, Sendable {
        /// The backing has no mapping.
        case noMapping
        /// The access bitmap forbids the page.
        case accessBitmap
        /// The host faulted.
        case host(HostFault)
    }

    /// Whether memory was to be changed.
    public let isWrite: Bool
    public let cause: Cause
}

/// A fault of the host's processor at a mapped address of guest memory.
public enum HostFault: Hashable, Sendable {
    /// Nothing is mapped there (SIGSEGV, `SEGV_MAPERR`).
    case notMapped
    /// The mapping does not allow the access (SIGSEGV, `SEGV_ACCERR`).
    case protected
    /// The file behind the mapping ends before the page, or there is no room for the page (SIGBUS, `BUS_ADRERR`).
    case noBacking
    /// The host's memory is broken there (SIGBUS, `BUS_MCEERR_AR`).
    case hardware
    /// Another signal code.
    case other(signal: Int32, code: Int32)
}

extension HostFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notMapped: "nothing is mapped there on the host"
        case .protected: "the host's mapping does not allow it"
        case .noBacking: "the file behind it ends before, or its file system is full"
        case .hardware: "the host's memory is broken there"
        case .other(let signal, let code): "the host raised signal \(signal), code \(code)"
        }
    }
}

/// What to do about an access that failed.
public enum PageFaultAction: Sendable {
    /// Give up; with the backing's own reason, or nil for that of the fault.
    case fail(GuestMemoryBackingError?)
    /// Try again: the page is there now. A backing that says so of a page that is not there, or without having a mapping,
    /// is asked again and again, and the access never ends.
    case retry
    /// Call the fallback.
    case fallback
}

/// Why a backing did not do what it was asked to.
public struct GuestMemoryBackingError: Error, Hashable, CustomStringConvertible {
    /// What stood against it, as the predicate of a sentence about the access.
    public let description: String

    public init(_ description: String) {
        self.description = description
    }

    /// What the default implementations throw.
    public static let notSupported = GuestMemoryBackingError("the memory behind it cannot be accessed that way")
}
