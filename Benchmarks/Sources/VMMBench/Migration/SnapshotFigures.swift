import BenchmarkSupport
import Glibc
import SystemPackage
import VMBoot
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
        try measureRestore(show)
    }

    /// From opening the snapshot to the guest's first exit, against C that creates an empty machine.
    private func measureRestore(
        _ show: (_ name: String, _ unit: String, _ ours: Double, _ baseline: Double) -> Void
    ) throws {
        let path = "\(folder)/restore.snapshot"
        defer { unlink(path) }
        try makeSnapshot(FilePath(path))
        let medians = try interleavedMedians(
            pairs: 101, ours: { try restore(FilePath(path)) },
            baseline: {
                let run = try Run.baseline(BenchmarkGuest.firstExit, marks: 1, exits: false, irqchip: true)
                return Double(run.marks[0].nanoseconds - run.started) / 1000
            })
        show("restore-1GiB-to-first-exit", "us", medians.ours, medians.baseline)
    }

    /// Of a guest that writes to the serial port again and again, with 1 GiB of memory that is not zero.
    private func makeSnapshot(_ path: FilePath) throws {
        // out %al, %dx; jmp back
        let code = BenchmarkGuest.firstExit.prefix(5) + [0xeb, 0xfd]
        let configuration = MachineConfiguration(
            guest: "restored", format: .flat64, memory: ByteSize(bytes: Writer.memorySize))
        let machine = try Machine(
            configuration, image: GuestImage(name: "restored", bytes: Array(code)), console: Marks())
        guard let slot = machine.partition.slots.first?.slot,
            let memory = UnsafeMutableRawPointer(bitPattern: slot.hostAddress)
        else { throw BenchmarkError("the machine's memory is not there") }
        memset(memory + (4 << 20), 7, Int(Writer.memorySize) - (4 << 20))
        try machine.start()
        usleep(10_000)
        try MachineSnapshots(machine).take(path, replacing: true)
        machine.stop()
        _ = machine.wait()
    }

    /// - Returns: how long it took, in microseconds.
    private func restore(_ path: FilePath) throws -> Double {
        let marks = Marks()
        let started = monotonicNanoseconds()
        let machine = try Machine.restore(try Snapshot(path: path), console: marks)
        try machine.start()
        while marks.first == nil { usleep(20) }
        machine.stop()
        _ = machine.wait()
        guard let first = marks.first else { throw BenchmarkError("the restored guest has not written anything") }
        return Double(first.nanoseconds - started) / 1000
    }
}
