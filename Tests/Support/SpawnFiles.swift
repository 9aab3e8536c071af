import Glibc

/// The descriptors that a new program is to have, and the call that starts it.
struct SpawnFiles: ~Copyable {
    private var actions = posix_spawn_file_actions_t()
    /// The child's ends of pipes, which nobody else needs once it runs.
    private var childEnds: [Descriptor] = []

    init() {
        posix_spawn_file_actions_init(&actions)
    }

    deinit {
        var actions = actions
        posix_spawn_file_actions_destroy(&actions)
    }

    mutating func open(_ path: String, _ flags: Int32, as number: Int32) {
        posix_spawn_file_actions_addopen(&actions, number, path, flags, 0)
    }

    mutating func close(_ number: Int32) {
        posix_spawn_file_actions_addclose(&actions, number)
    }

    mutating func duplicate(_ existing: Int32, as number: Int32) {
        posix_spawn_file_actions_adddup2(&actions, existing, number)
    }

    /// A pipe to the child's descriptor `number`; returns the end to write to.
    mutating func addPipe(writtenBy number: Int32) throws(ChildError) -> Descriptor {
        let pipe = try Descriptor.pipe()
        childEnds.append(pipe.reading)
        duplicate(pipe.reading.number, as: number)
        return pipe.writing
    }

    /// Returns the end to read from, where somebody reads.
    mutating func add(_ output: ChildProcess.Output, as number: Int32) throws(ChildError) -> Descriptor? {
        switch output {
        case .closed:
            close(number)
            return nil
        case .file(let path):
            open(path, O_WRONLY, as: number)
            return nil
        case .collected, .withoutReader:
            let pipe = try Descriptor.pipe()
            childEnds.append(pipe.writing)
            duplicate(pipe.writing.number, as: number)
            if case .withoutReader = output { return nil }
            return pipe.reading
        }
    }

    /// Starts the program with default signal handling, in a process group of its own.
    consuming func spawn(
        _ program: String, _ arguments: [String], inNewSession: Bool
    ) throws(ChildError) -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        // POSIX_SPAWN_SETSID, which the C library shows with extensions only.
        let group = inNewSession ? 0x80 : Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(
            &attributes, Int16(group | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)))
        var identifier: pid_t = 0
        let error = withCStrings([program] + arguments) { arguments in
            withCStrings(Self.environment) { environment in
                Descriptor.inheritance.withLock { _ in
                    posix_spawn(&identifier, program, &actions, &attributes, arguments, environment)
                }
            }
        }
        guard error == 0 else { throw ChildError("starting \(program)", error) }
        return identifier
    }

    /// That of the tests, without backtraces of the Swift runtime: they can take minutes.
    private static let environment: [String] = {
        var text: [UInt8] = []
        if let file = fopen("/proc/self/environ", "r") {
            defer { fclose(file) }
            while case let byte = getc(file), byte != EOF { text.append(UInt8(truncatingIfNeeded: byte)) }
        }
        let inherited = text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return inherited.filter { !$0.hasPrefix("SWIFT_BACKTRACE=") } + ["SWIFT_BACKTRACE=enable=no"]
    }()
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = strings.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers)
}
