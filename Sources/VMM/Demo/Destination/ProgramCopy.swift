import Glibc
import SystemPackage

/// Another process of this program, with its standard input, output and error at the other ends of pipes.
///
/// It is a process group of its own: what is typed at the terminal reaches this process alone, which ends the other in order.
struct ProgramCopy: ~Copyable {
    let identifier: pid_t
    /// Its standard input.
    let input: FileDescriptor
    let output: FileDescriptor
    let errors: FileDescriptor

    init(arguments: [String]) throws(Failure) {
        do {
            let pipes = try (0..<3).map { _ in try Self.pipe() }
            let ends = [pipes[0].readEnd, pipes[1].writeEnd, pipes[2].writeEnd]
            let kept = [pipes[0].writeEnd, pipes[1].readEnd, pipes[2].readEnd]
            defer { for end in ends { try? end.close() } }
            do {
                identifier = try Self.spawn(arguments, ends.map(\.rawValue))
            } catch {
                for end in kept { try? end.close() }
                throw error
            }
            (input, output, errors) = (kept[0], kept[1], kept[2])
        } catch {
            throw Failure(.hostFailure, "cannot start the destination's process: \(error)")
        }
    }

    private static func pipe() throws -> (readEnd: FileDescriptor, writeEnd: FileDescriptor) {
        let pipe = try FileDescriptor.pipe()
        for end in [pipe.readEnd, pipe.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
        return pipe
    }

    /// - Parameter descriptors: what it has as descriptors 0 and on.
    private static func spawn(_ arguments: [String], _ descriptors: [Int32]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What this process ignores or blocks is its own affair.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var strings = ([CommandLine.arguments[0]] + arguments).map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        var identifier: pid_t = 0
        let error = posix_spawn(&identifier, "/proc/self/exe", &actions, &attributes, &strings, environ)
        guard error == 0 else { throw Errno(rawValue: error) }
        return identifier
    }
}
