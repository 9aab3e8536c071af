import Glibc
import SystemPackage

/// An address as the socket calls take it.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length: socklen_t

    var family: CInt { CInt(storage.ss_family) }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { storage in
            // SAFETY: a sockaddr_storage has room and alignment for every kind of address.
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// The addresses of a `unix:` or `tcp:` URI, in the order in which they are to be tried. Names are looked up; that can
    /// take seconds, and is not cut short. Addresses in numbers are not looked up.
    static func all(of uri: MigrationURI) throws(TransportError) -> [SocketAddress] {
        switch uri.target {
        case .unix(let path): return [SocketAddress(path: path)]
        case .tcp(let host, let port):
            let addresses = lookUp(host, port, flags: AI_NUMERICHOST)
            if case .success(let found) = addresses { return found }
            switch lookUp(host, port, flags: 0) {
            case .success(let found): return found
            case .failure(let failure): throw .noSuchAddress(uri, reason: failure.reason)
            }
        case .descriptor, .file: return []
        }
    }

    /// - Parameter path: at most `MigrationURI.maximumSocketPathLength` bytes.
    private init(path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { room in
            // One is left, for the zero at the end.
            room.copyBytes(from: path.utf8.prefix(room.count - 1))
        }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        withUnsafeMutableBytes(of: &storage) { storage in
            withUnsafeBytes(of: address) { storage.copyMemory(from: $0) }
        }
    }

    private init?(_ pointer: UnsafePointer<sockaddr>?, _ count: socklen_t) {
        guard let pointer, Int(count) <= MemoryLayout<sockaddr_storage>.size else { return nil }
        length = count
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(count)))
        }
    }

    private struct LookUpFailure: Error {
        let reason: String
    }

    private static func lookUp(_ host: String, _ port: UInt16, flags: CInt) -> Result<[SocketAddress], LookUpFailure> {
        var hints = addrinfo()
        hints.ai_flags = flags | AI_NUMERICSERV
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, "\(port)", &hints, &list)
        guard result == 0 else { return .failure(LookUpFailure(reason: String(cString: gai_strerror(result)))) }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = SocketAddress(entry.ai_addr, entry.ai_addrlen) { found.append(address) }
            next = entry.ai_next
        }
        return found.isEmpty ? .failure(LookUpFailure(reason: "the name has no address")) : .success(found)
    }

    /// The port that a socket is bound to.
    static func port(of descriptor: CInt) -> UInt16? {
        var address = SocketAddress()
        let result = withUnsafeMutablePointer(to: &address.storage) { storage in
            // SAFETY: as in `withPointer`.
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &address.length) }
        }
        guard result == 0 else { return nil }
        return withUnsafeBytes(of: address.storage) { bytes in
            switch address.family {
            case AF_INET: UInt16(bigEndian: bytes.load(as: sockaddr_in.self).sin_port)
            case AF_INET6: UInt16(bigEndian: bytes.load(as: sockaddr_in6.self).sin6_port)
            default: nil
            }
        }
    }

    private init() {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    }
}
