import Glibc
import VMHost
import VMMigration

/// Passes on what goes over a `unix:` socket, as `ssh -L` does, until it is killed.
enum RelaySession {
    static func run(_ uri: MigrationURI, to target: MigrationURI) throws {
        let listener = try socket(of: uri, bind)
        guard listen(listener, 16) == 0 else { throw Failure(call: "listen", errno: errno) }
        Marker.write("listening")
        while case let source = accept(listener, nil, nil), source >= 0 {
            let destination = try socket(of: target, connect)
            for (from, to) in [(source, destination), (destination, source)] {
                pthread_detach(try HostThread.start(stackSize: 256 << 10) { carry(from, to) })
            }
        }
    }

    struct Failure: Error {
        let call: String
        let errno: CInt
    }

    private static func socket(
        of uri: MigrationURI, _ call: (CInt, UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws -> CInt {
        guard case .unix(let path) = uri.target else { throw Failure(call: "\(uri)", errno: EINVAL) }
        let descriptor = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: address) { address in
            // SAFETY: the calls take the address of any family as a sockaddr, and its real size.
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Failure(call: "\(uri)", errno: errno) }
        return descriptor
    }

    private static func carry(_ from: CInt, _ to: CInt) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(from, &buffer, buffer.count), count > 0 {
            var rest = buffer[..<count]
            while !rest.isEmpty {
                let sent = rest.withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
                guard sent > 0 else { break }
                rest = rest.dropFirst(sent)
            }
        }
        shutdown(to, CInt(SHUT_WR))
    }
}
