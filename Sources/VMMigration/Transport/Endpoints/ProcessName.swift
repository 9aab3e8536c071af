import Glibc

/// What a process is called, unlike any other on any host: the boot of its kernel, the namespace that its number is of, and its
/// number in that, as `boot/namespace/number`.
///
/// Two processes that are alive at one time have two names: numbers are given again only after the end.
enum ProcessName {
    /// Empty where it cannot be known, as without /proc.
    static var own: String { of(getpid()) ?? "" }

    /// Whether a name is that of a process of this host.
    /// - Parameter number: the process's, in the namespace of this one.
    static func isName(_ name: String, of number: pid_t) -> Bool {
        // 0 is what the kernel says of a process that this namespace does not have.
        number > 0 && of(number) == name
    }

    private static func of(_ number: pid_t) -> String? {
        scope.map { "\($0)/\(number)" }
    }

    /// A process stays in its namespace: setns(2) changes that of its children.
    private static let scope: String? = {
        var status = stat()
        guard let boot, stat("/proc/self/ns/pid", &status) == 0 else { return nil }
        return "\(boot)/\(status.st_ino)"
    }()

    /// random(4)
    private static var boot: String? {
        let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let length = 36
        var bytes = [UInt8](repeating: 0, count: length)
        guard read(descriptor, &bytes, length) == length else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
