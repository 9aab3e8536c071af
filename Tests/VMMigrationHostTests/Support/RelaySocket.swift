import Glibc
import VMMigration

/// Sockets as the kernel has them.
enum RelaySocket {
    struct Failure: Error {
        let call: String
        let errno: CInt
    }

    enum Address {
        case unix(path: String)
        /// Of this host.
        case tcp(port: UInt16)

        init(_ uri: MigrationURI) throws(Failure) {
            switch uri.target {
            case .unix(let path): self = .unix(path: path)
            case .tcp(_, let port): self = .tcp(port: port)
            default: throw Failure(call: "\(uri)", errno: EINVAL)
            }
        }
    }

    static func listening(at path: String) throws(Failure) -> CInt {
        let descriptor = try make(AF_UNIX)
        guard withAddress(path, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 16) == 0 else {
            throw failure("bind", descriptor)
        }
        return descriptor
    }

    /// At a port of the kernel's choosing.
    static func listening() throws -> (CInt, MigrationURI) {
        let descriptor = try make(AF_INET)
        var address = loopback(0)
        let result = withUnsafeMutablePointer(to: &address) { address in
            // SAFETY: the calls take the address of any family as a sockaddr, and its real size.
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                var length = socklen_t(MemoryLayout<sockaddr_in>.size)
                return bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0
                    ? getsockname(descriptor, pointer, &length) : -1
            }
        }
        guard result == 0 else { throw failure("bind", descriptor) }
        return (descriptor, try MigrationURI("tcp:127.0.0.1:\(UInt16(bigEndian: address.sin_port))"))
    }

    /// One of this host's TCP ports that was free a moment ago.
    static func freePort() throws -> UInt16 {
        let (descriptor, uri) = try listening()
        close(descriptor)
        guard case .tcp(_, let port) = uri.target else { throw Failure(call: "\(uri)", errno: EINVAL) }
        return port
    }

    static func connected(to address: Address) throws(Failure) -> CInt {
        let descriptor: CInt
        let result: CInt
        switch address {
        case .unix(let path):
            descriptor = try make(AF_UNIX)
            result = withAddress(path) { connect(descriptor, $0, $1) }
        case .tcp(let port):
            descriptor = try make(AF_INET)
            result = withUnsafePointer(to: loopback(port)) { address in
                // SAFETY: as above.
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard result == 0 else { throw failure("connect", descriptor) }
        return descriptor
    }

    static func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func make(_ family: CInt) throws(Failure) -> CInt {
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(call: "socket", errno: errno) }
        return descriptor
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return address
    }

    private static func failure(_ call: String, _ descriptor: CInt) -> Failure {
        let failure = Failure(call: call, errno: errno)
        close(descriptor)
        return failure
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: address) { address in
            // SAFETY: the calls take the address of any family as a sockaddr, and its real size.
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
