import Glibc

/// Where the bytes of a stream go.
public protocol ByteSink {
    associatedtype Failure: Error

    /// Takes all bytes of all pieces, in order. They are the caller's again when this returns.
    func write(_ pieces: UnsafeBufferPointer<iovec>) throws(Failure)
}

/// Where the bytes of a stream come from.
public protocol ByteSource {
    associatedtype Failure: Error

    /// Fills the room with the next bytes.
    /// - Throws: also where fewer bytes are left than the room has.
    func read(exactly room: UnsafeMutableRawBufferPointer) throws(Failure)
}

/// Why a frame could not be sent or received.
public enum StreamFailure<Link: Error>: Error, CustomStringConvertible {
    /// Its bytes did not get through.
    case link(Link)
    /// What got through is no part of a stream, or what was to be sent cannot be one.
    case stream(StreamError)

    public var description: String {
        switch self {
        case .link(let error): "\(error)"
        case .stream(let error): "\(error)"
        }
    }
}
