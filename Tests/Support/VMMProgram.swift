import Glibc

/// The `vmm` program under test: the one that the environment variable `VMM_PROGRAM` names, or else the one that was
/// built along with the tests.
public enum VMMProgram {
    public static func path() throws(ChildError) -> String {
        try located.get()
    }

    private static let located: Result<String, ChildError> = {
        let isNamed = getenv("VMM_PROGRAM")
        let candidate = isNamed.map { String(cString: $0) } ?? folderOfTheTests + "/vmm"
        guard let resolved = realpath(candidate, nil) else {
            return .failure(
                ChildError(
                    isNamed != nil
                        ? "VMM_PROGRAM names \(candidate), which does not exist"
                        : "there is no \(candidate); build the product vmm, or name the program in VMM_PROGRAM"))
        }
        defer { free(resolved) }
        return .success(String(cString: resolved))
    }()

    /// A program that was built along with the tests, for them.
    public static func testProgram(_ name: String) -> String { "\(folderOfTheTests)/\(name)" }

    private static var folderOfTheTests: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        let path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    /// Starts it, to talk to it while it runs.
    public static func start(
        _ arguments: [String], input: ChildProcess.Input = .nothing, output: ChildProcess.Output = .collected,
        errors: ChildProcess.Output = .collected, timeout: Duration = ChildProcess.defaultTimeout
    ) throws(ChildError) -> ChildProcess {
        try ChildProcess(path(), arguments, input: input, output: output, errors: errors, timeout: timeout)
    }

    /// Runs it to its end.
    public static func run(
        _ arguments: [String], input: ChildProcess.Input = .nothing, output: ChildProcess.Output = .collected,
        errors: ChildProcess.Output = .collected, timeout: Duration = ChildProcess.defaultTimeout
    ) throws(ChildError) -> FinishedRun {
        try start(arguments, input: input, output: output, errors: errors, timeout: timeout).finish()
    }
}

// MARK: As a user without rights

extension VMMProgram {
    /// Why `runUnprivileged` cannot work here.
    public static let unprivilegedSkipReason = "runs as root, and there is no setpriv(1) to give that up with"
    public static var canRunUnprivileged: Bool { geteuid() != 0 || setpriv != nil }

    private static var setpriv: String? {
        ["/usr/bin/setpriv", "/bin/setpriv"].first { access($0, X_OK) == 0 }
    }

    /// Runs it as a user who is not root: the one who runs the tests, or nobody.
    /// - Parameter folder: where to put a copy of the program, which nobody may not reach where it is.
    public static func runUnprivileged(
        _ arguments: [String], copiedTo folder: TemporaryFolder
    ) throws(ChildError) -> FinishedRun {
        guard geteuid() == 0 else { return try run(arguments) }
        guard let setpriv else { throw ChildError(unprivilegedSkipReason) }
        let copy = folder.path("vmm")
        let copying = try ChildProcess("/bin/cp", [try path(), copy]).finish()
        guard copying.ending == .exited(0) else { throw ChildError("cannot copy the program: \(copying)") }
        chmod(copy, 0o755)
        let nobody = "65534"
        return try ChildProcess(
            setpriv, ["--reuid=\(nobody)", "--regid=\(nobody)", "--clear-groups", copy] + arguments
        ).finish()
    }
}
