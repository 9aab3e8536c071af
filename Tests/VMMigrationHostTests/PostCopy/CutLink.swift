import Glibc
import TestSupport
import Testing
import VMHost
import VMMigration

/// A socket that leads to another, as long as nobody cuts what goes through it.
final class CutLink: Sendable {
    private struct State {
        /// Pairs of descriptors of connections that are open.
        var pairs: [(CInt, CInt)] = []
        /// After how many bytes from the source connections are cut, one after the other; the later ones never.
        var budgets: [Int]
        var cuts = 0
        /// Whether new connections end at once, from the first cut on.
        var isBroken = false
        var threads: [pthread_t] = []
    }

    let uri: MigrationURI
    private let folder: TemporaryFolder
    private let target: String
    private let listener: CInt
    private let state: Monitor<State>

    /// - Parameters:
    ///   - target: the path of the socket that it leads to.
    ///   - breaks: whether no connection can be made after the first cut, until it is repaired.
    init(to target: String, cutAfter budgets: [Int] = [], breaks: Bool = false) throws {
        folder = try TemporaryFolder()
        let path = folder.path("relay")
        listener = try #require(Self.socket({ Glibc.bind($0, $1, $2) }, at: path))
        try #require(listen(listener, 8) == 0)
        uri = try MigrationURI("unix:" + path)
        self.target = target
        state = Monitor(State(budgets: budgets, isBroken: breaks))
        let thread = try HostThread.start(stackSize: 256 << 10) { [self] in accept() }
        state.withLock { $0.threads.append(thread) }
    }

    var cuts: Int { state.withLock(\.cuts) }

    /// Ends all connections.
    func cut() {
        state.change { state in
            for (first, second) in state.pairs {
                shutdown(first, CInt(SHUT_RDWR))
                shutdown(second, CInt(SHUT_RDWR))
            }
            if !state.pairs.isEmpty { state.cuts += 1 }
        }
    }

    /// Connections can be made again.
    func repair() {
        state.change { $0.isBroken = false }
    }

    /// Nothing gets through any more.
    func end() {
        shutdown(listener, CInt(SHUT_RDWR))
        cut()
        while let thread = state.withLock({ $0.threads.popLast() }) { pthread_join(thread, nil) }
        close(listener)
    }

    private func accept() {
        while true {
            let source = Glibc.accept(listener, nil, nil)
            guard source >= 0 else { return }
            let isRefusing = state.withLock { $0.isBroken && $0.cuts > 0 }
            guard !isRefusing, let destination = Self.socket({ Glibc.connect($0, $1, $2) }, at: target) else {
                close(source)
                continue
            }
            let budget = state.change { state -> Int in
                state.pairs.append((source, destination))
                return state.budgets.isEmpty ? .max : state.budgets.removeFirst()
            }
            if let thread = try? HostThread.start(stackSize: 1 << 20, { [self] in relay(source, destination, budget) })
            {
                state.withLock { $0.threads.append(thread) }
            }
        }
    }

    private func relay(_ source: CInt, _ destination: CInt, _ budget: Int) {
        var budget = budget
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var polled = [
            pollfd(fd: source, events: Int16(POLLIN), revents: 0),
            pollfd(fd: destination, events: Int16(POLLIN), revents: 0),
        ]
        relaying: while poll(&polled, 2, -1) > 0 {
            for (index, to) in [(0, destination), (1, source)] where polled[index].revents != 0 {
                let count = read(polled[index].fd, &buffer, buffer.count)
                guard count > 0 else { break relaying }
                if index == 0 { budget -= count }
                guard budget > 0, Self.write(buffer[..<count], to) else {
                    if budget <= 0 { state.change { $0.cuts += 1 } }
                    break relaying
                }
            }
        }
        state.change { $0.pairs.removeAll { $0.0 == source } }
        close(source)
        close(destination)
    }

    private static func write(_ bytes: ArraySlice<UInt8>, _ descriptor: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func socket(
        _ use: (CInt, UnsafePointer<sockaddr>, socklen_t) -> CInt, at path: String
    ) -> CInt? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let descriptor = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                use(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}
