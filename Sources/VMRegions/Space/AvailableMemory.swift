import SystemPackage

/// How much memory the host can provide without ending processes for it: what the kernel estimates (`MemAvailable` of
/// proc(5)), and what the control groups that the process is in may still have (kernel documents "cgroup-v2" and "memory").
struct AvailableMemory {
    /// The contents of a file; nil where there is none.
    let read: (_ path: String) -> String?

    init(reading read: @escaping (_ path: String) -> String? = Self.contents) {
        self.read = read
    }

    /// Nil where the host does not tell.
    var byteCount: UInt64? {
        let host = read("/proc/meminfo").flatMap { Self.value(of: "MemAvailable:", in: $0) }
        let groups = read("/proc/self/cgroup")?.split(separator: "\n").flatMap(room(line:)) ?? []
        return (host.map { [$0 << 10] } ?? []).reduce(groups.min()) { min($0 ?? $1, $1) }
    }

    /// The files of one version of control groups.
    private struct Version {
        let root: String
        let limit: String
        let usage: String
        /// Pages of files, which the kernel drops where memory runs short: keys of `memory.stat`.
        let reclaimable: [String]

        static let v1 = Version(
            root: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes",
            reclaimable: ["total_active_file", "total_inactive_file"])
        static let v2 = Version(
            root: "/sys/fs/cgroup", limit: "memory.max", usage: "memory.current",
            reclaimable: ["active_file", "inactive_file"])
    }

    /// What the groups of a line of `/proc/self/cgroup` may still have, the process's own and those around it.
    private func room(line: Substring) -> [UInt64] {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return [] }
        let version: Version
        if fields[1].split(separator: ",").contains("memory") {
            version = .v1
        } else if fields[0] == "0" {
            version = .v2
        } else {
            return []
        }
        let names = fields[2].split(separator: "/")
        return (0...names.count).compactMap { depth in
            room(names.prefix(depth).reduce(version.root) { "\($0)/\($1)" }, version)
        }
    }

    /// - Returns: nil for a group without a limit, or that is not shown here.
    private func room(_ group: String, _ version: Version) -> UInt64? {
        guard let limit = number(group, version.limit), let usage = number(group, version.usage) else { return nil }
        let statistics = read("\(group)/memory.stat") ?? ""
        let reclaimable = version.reclaimable.reduce(0) { sum, key in
            sum &+ (Self.value(of: key, in: statistics) ?? 0)
        }
        let needed = usage - min(usage, reclaimable)
        return limit - min(limit, needed)
    }

    private func number(_ group: String, _ file: String) -> UInt64? {
        // A group without a limit has "max".
        read("\(group)/\(file)").flatMap { UInt64($0.prefix { $0 != "\n" }) }
    }

    /// Of a file with a key and a value in each line.
    private static func value(of key: String, in text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            if words.count >= 2, words[0] == key { return UInt64(words[1]) }
        }
        return nil
    }

    private static func contents(_ path: String) -> String? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
        defer { try? file.close() }
        var bytes: [UInt8] = []
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { room in
            while let count = try? file.read(into: room) {
                guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
                bytes += room.prefix(count)
            }
            return nil
        }
    }
}
