import BenchmarkSupport
import Glibc
import SystemPackage
import VMMachine
import VMMigration

/// What snapshots of a machine of 1 GiB take.
struct SnapshotFigures {
    private let source: WriterMachine
    private let folder: String

    init(_ image: [UInt8], _ inputs: Inputs) throws {
        source = try WriterMachine(.auto, image: image)
        folder = inputs.scratch
    }

    func measure(_ show: (_ name: String, _ unit: String, _ ours: Double, _ baseline: Double) -> Void) throws {
        let paths = (0..<4).map { "\(folder)/bench.\($0).snapshot" }
        defer { for path in paths { unlink(path) } }
        let snapshots = MachineSnapshots(source.machine)
        try snapshots.take(FilePath(paths[0]), replacing: true)
        for (path, share) in zip(paths.dropFirst(), [6.25, 25, 100]) {
            source.writer.setPages(Writer.randomPages(share: share / 100))
            try source.pass()
            let report = try snapshots.take(FilePath(path), replacing: true)
            let mebibytes = report.pages.data >> 8
            show(
                "snapshot-pause-\(mebibytes)MiB", "ms", report.pause / .milliseconds(1), 5 + Double(mebibytes) / 64)
        }
    }
}
