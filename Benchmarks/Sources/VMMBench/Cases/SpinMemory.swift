import BenchmarkSupport
import Glibc

extension Case {
    /// The memory of the monitor itself while a guest of 128 MiB runs.
    static let spinMemory = Case(name: "spin-memory") { inputs in
        // Until the programs, just built, are on disk, their pages count as written.
        sync()
        let ours = { try memory([inputs.vmm, "run", "-m", "128M", "spin"]) }
        let baseline = { try memory([inputs.baseline, "-m", "128", inputs.guest("spin")]) }
        // The kernel decides how much of a file it maps around a page that is touched, so this varies a little.
        let runs = try (0..<3).map { _ in (ours: try ours(), baseline: try baseline()) }
        let row = { (name: String, value: (ResidentMemory) -> UInt64) in
            Measurement(
                name: name, unit: "KiB", ours: Double(runs.map { value($0.ours) }.sorted()[1]),
                baseline: Double(runs.map { value($0.baseline) }.sorted()[1]))
        }
        return [
            row("spin-memory-resident") { $0.resident },
            row("spin-memory-anonymous") { $0.anonymous },
        ]
    }

    private static func memory(_ command: [String]) throws -> ResidentMemory {
        let child = try Child(command)
        defer {
            child.kill(SIGTERM)
            _ = child.finish()
        }
        guard !child.readSome().isEmpty else { throw BenchmarkError("\(command[0]) did not start its guest") }
        sleep(1)
        return try ResidentMemory(of: child.pid, guestMemory: 128 << 10)
    }
}
