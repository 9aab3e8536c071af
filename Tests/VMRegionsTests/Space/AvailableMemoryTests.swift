import Testing

@testable import VMRegions

@Suite("How much memory the host can provide")
struct AvailableMemoryTests {
    private static let meminfo = "MemTotal:       24684096 kB\nMemFree:        1 kB\nMemAvailable:   1000 kB\n"

    private func available(_ files: [String: String]) -> UInt64? {
        AvailableMemory { files[$0] }.byteCount
    }

    @Test("This host tells")
    func host() throws {
        let byteCount = try #require(AvailableMemory().byteCount)
        #expect(byteCount > 0 && byteCount < 1 << 52)
    }

    @Test("Without control groups it is what the kernel estimates")
    func noGroups() {
        #expect(available(["/proc/meminfo": Self.meminfo]) == 1000 << 10)
        #expect(available([:]) == nil)
        #expect(available(["/proc/meminfo": "MemTotal: 5 kB\n"]) == nil)
        #expect(available(["/proc/meminfo": "MemAvailable: many kB\n"]) == nil)
    }

    @Test("A control group may have less, and so may one around it; pages of files do not count as used")
    func groups() {
        var files = [
            "/proc/meminfo": Self.meminfo, "/proc/self/cgroup": "0::/outer/inner\n",
            "/sys/fs/cgroup/outer/inner/memory.max": "600000\n",
            "/sys/fs/cgroup/outer/inner/memory.current": "400000\n",
            "/sys/fs/cgroup/outer/memory.max": "max\n", "/sys/fs/cgroup/outer/memory.current": "900000\n",
        ]
        #expect(available(files) == 200_000)
        files["/sys/fs/cgroup/outer/inner/memory.stat"] = "anon 1\nactive_file 30000\ninactive_file 70000\n"
        #expect(available(files) == 300_000)
        files["/sys/fs/cgroup/outer/memory.max"] = "950000\n"
        #expect(available(files) == 50_000)
        // It was lowered below what is used.
        files["/sys/fs/cgroup/outer/memory.max"] = "1000\n"
        #expect(available(files) == 0)
        files["/sys/fs/cgroup/outer/memory.max"] = "99999999999\n"
        files["/sys/fs/cgroup/outer/inner/memory.max"] = "99999999999\n"
        #expect(available(files) == 1000 << 10)
    }

    @Test("Control groups of the first version count alike")
    func firstVersion() {
        let files = [
            "/proc/meminfo": Self.meminfo, "/proc/self/cgroup": "7:cpu,cpuacct:/a\n4:memory:/b\n0::/\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes": "5000000\n",
            "/sys/fs/cgroup/memory/b/memory.limit_in_bytes": "70000\n",
            "/sys/fs/cgroup/memory/b/memory.usage_in_bytes": "50000\n",
            "/sys/fs/cgroup/memory/b/memory.stat": "active_file 1\ntotal_active_file 100\ntotal_inactive_file 200\n",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1\n",
            "/sys/fs/cgroup/memory/a/memory.usage_in_bytes": "1\n",
        ]
        #expect(available(files) == 20300)
    }

    @Test("What makes no sense is passed over", arguments: ["", "\n", ":", "0:", "0::", "memory:/a", "x:memory"])
    func nonsense(_ text: String) {
        #expect(available(["/proc/meminfo": Self.meminfo, "/proc/self/cgroup": text]) == 1000 << 10)
    }
}
