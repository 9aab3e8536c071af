import BenchmarkSupport
import CBaseline
import Glibc

/// Measures migration and snapshots, which takes some minutes, and shows a row for each figure.
enum MigrationReport {
    static let name = "migration"
    private static let runs = 5
    private static let gibibyte = Double(1 << 30)

    static func show(_ inputs: Inputs, json: Bool) throws {
        if !json { Output.show(Table.header) }
        func show(_ name: String, _ unit: String, _ ours: Double, _ baseline: Double) {
            let measurement = Measurement(name: name, unit: unit, ours: ours, baseline: baseline)
            Output.show(json ? measurement.json : Table.row(measurement))
        }
        let image = try bytes(ofFile: inputs.guest("writer"))

        var (idle, prepared): ([MigrationFigures], [MigrationFigures]) = ([], [])
        var (sockets, memories, qemus): ([Double], [Double], [QEMUMigration.Figures]) = ([], [], [])
        for _ in 0..<runs {
            do {
                let pair = try MigratingPair(image, inputs)
                sockets.append(pair.pushMemory(keeps: false))
                memories.append(pair.pushMemory(keeps: true))
                idle.append(try pair.migrate(rate: nil))
            }
            prepared.append(try MigratingPair(image, inputs, preallocates: true).migrate(rate: nil))
            if let figures = try QEMUMigration.run(memory: Writer.memorySize, scratch: inputs.scratch) {
                qemus.append(figures)
            }
        }
        func rate(_ seconds: [Double]) -> Double { Double(Writer.memorySize) / gibibyte / median(seconds) }
        if qemus.isEmpty {
            Output.complain("migration-idle-vs-qemu skipped: there is no qemu-system-x86_64")
        }
        for (name, figures) in [("idle", idle), ("preallocated", prepared)] {
            let ours = rate(figures.map(\.seconds))
            show("migration-\(name)-vs-socket", "GiB/s", ours, rate(sockets))
            show("migration-\(name)-vs-socket-and-memory", "GiB/s", ours, rate(memories))
            if !qemus.isEmpty { show("migration-\(name)-vs-qemu", "GiB/s", ours, rate(qemus.map(\.seconds))) }
        }
        if !qemus.isEmpty {
            show(
                "migration-downtime-idle-vs-qemu", "ms", median(idle.map(\.downtime)), median(qemus.map(\.downtime)))
        }
        show("migration-downtime-idle", "ms", median(idle.map(\.downtime)), 0)
        show("migration-downtime-preallocated", "ms", median(prepared.map(\.downtime)), 0)
        for rate: UInt64 in [100, 400, 800] {
            let figures = try (0..<runs).map { _ in try MigratingPair(image, inputs).migrate(rate: rate << 20) }
            show("migration-downtime-\(rate)MiB/s", "ms", median(figures.map(\.downtime)), 0)
            show("migration-total-\(rate)MiB/s", "ms", median(figures.map { $0.seconds * 1000 }), 0)
            show("migration-guest-speed-\(rate)MiB/s", "%", median(figures.map { $0.guestSpeed * 100 }), 100)
        }
        try SnapshotFigures(image, inputs).measure(show)
    }
}

/// How a migration went.
struct MigrationFigures {
    let seconds: Double
    /// In milliseconds.
    let downtime: Double
    /// Of the guest while it was migrating, of that before.
    let guestSpeed: Double
}
