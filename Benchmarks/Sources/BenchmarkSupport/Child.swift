import Glibc

/// A program run as a child, with nothing to read and with its output in a pipe.
public struct Child {
    public let pid: pid_t
    private let output: Int32

    /// - Parameters:
    ///   - arguments: the program's path and its arguments.
    ///   - includesErrors: whether standard error goes to the pipe too.
    public init(_ arguments: [String], includesErrors: Bool = false) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw BenchmarkError("cannot make a pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        if includesErrors { posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO) }
        var strings = arguments.map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        var pid = pid_t()
        let error = posix_spawnp(&pid, arguments[0], &actions, nil, &strings, environ)
        guard error == 0 else {
            close(ends[0])
            throw BenchmarkError("cannot run \(arguments[0]): \(String(cString: strerror(error)))")
        }
        self.pid = pid
        self.output = ends[0]
    }

    /// Some of its output, at least a byte; nothing once there will be no more.
    public func readSome() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            return Array(buffer.prefix(max(0, count)))
        }
    }

    public func kill(_ signal: Int32) {
        Glibc.kill(pid, signal)
    }

    /// Reads the rest of its output and waits for its end.
    /// - Returns: the output, and the status as `wait(2)` gives it: zero for a success.
    public func finish() -> (output: String, status: Int32) {
        var bytes: [UInt8] = []
        while true {
            let more = readSome()
            if more.isEmpty { break }
            bytes += more
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        close(output)
        return (String(decoding: bytes, as: UTF8.self), status)
    }
}
