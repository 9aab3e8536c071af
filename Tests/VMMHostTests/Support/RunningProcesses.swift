import Glibc
import TestSupport

/// What /proc tells of processes.
enum RunningProcesses {
    static func children(of parent: pid_t) throws(ChildError) -> [pid_t] {
        try TemporaryFolder.entries("/proc").compactMap(pid_t.init).filter { self.parent(of: $0) == parent }
    }

    /// Whether it is there, and no zombie.
    static func isRunning(_ identifier: pid_t) -> Bool {
        status(of: identifier).first.map { $0 != "Z" } ?? false
    }

    private static func parent(of identifier: pid_t) -> pid_t? {
        let fields = status(of: identifier)
        return fields.count > 1 ? pid_t(fields[1]) : nil
    }

    /// The fields after the name, which may have anything in it: the state, the parent, and on.
    private static func status(of identifier: pid_t) -> [Substring] {
        guard let bytes = try? TemporaryFolder.contents(ofFile: "/proc/\(identifier)/stat") else { return [] }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
