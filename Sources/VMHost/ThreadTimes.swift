import CThreads
import Glibc

/// How a thread of this process has spent its time so far, as the kernel counts it.
package struct ThreadTimes: Hashable, Sendable {
    /// Outside of the kernel; of the thread of a vCPU, in the guest as well. The kernel knows by its clock ticks how the
    /// time is divided between this and `system`, so that differences over less than some dozens of those say little.
    package var user: Duration
    package var system: Duration
    /// Ready to run, but without a processor. Nil where the kernel does not count it.
    package var waiting: Duration?

    /// The kernel's number of the calling thread.
    package static var currentThreadID: pid_t { cthreads_thread_id() }

    /// - Parameter id: the kernel's number of the thread.
    /// - Returns: nil where there is no such thread, or no `/proc`.
    package init?(ofThread id: pid_t) {
        let folder = "/proc/self/task/\(id)"
        // The name before, in parentheses, may have spaces in it.
        guard let fields = Self.words(folder + "/stat")?.split(separator: ")").last?.split(separator: " "),
            fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12])
        else { return nil }
        let perSecond = Double(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        self.user = .seconds(Double(user) / perSecond)
        self.system = .seconds(Double(system) / perSecond)
        let schedule = Self.words(folder + "/schedstat")?.split(separator: " ") ?? []
        waiting = schedule.count > 1 ? Int64(schedule[1]).map(Duration.nanoseconds) : nil
    }

    /// The first line of a file.
    private static func words(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1024)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        return String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
