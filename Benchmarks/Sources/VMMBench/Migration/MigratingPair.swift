import BenchmarkSupport
import CBaseline
import Glibc
import Synchronization
import VMMigration

/// A machine of 1 GiB, none of it zero, in this process, and `vmm receive` for it in another.
final class MigratingPair {
    private let source: WriterMachine
    private let path: String
    private let receiver: Child

    /// - Parameter preallocates: whether the destination has memory ready for it.
    init(_ image: [UInt8], _ inputs: Inputs, preallocates: Bool = false) throws {
        path = "\(inputs.scratch)/migration.socket"
        unlink(path)
        source = try WriterMachine(.auto, image: image)
        let flags = preallocates ? ["--preallocate", "\(Writer.memorySize)"] : []
        receiver = try Child([inputs.vmm, "receive", "unix:\(path)"] + flags)
        try waitForReceiver()
    }

    /// Nothing is measured while it prepares itself.
    private func waitForReceiver() throws {
        for _ in 0..<1000 {
            if access(path, F_OK) == 0 { return }
            usleep(10_000)
        }
        throw BenchmarkError("'vmm receive' does not listen")
    }

    deinit {
        receiver.kill(SIGKILL)
        _ = receiver.finish()
        unlink(path)
    }

    /// How long the same bytes take through a socket, in C, in seconds.
    func pushMemory(keeps: Bool) -> Double {
        baseline_push(source.writer.memory, Int(Writer.memorySize), keeps)
    }

    /// - Parameter rate: of the guest's writes, in bytes of pages a second; nil where it stands still.
    func migrate(rate: UInt64?) throws -> MigrationFigures {
        let migration = try OutgoingMigration(
            source.machine, to: try MigrationURI("unix:\(path)"),
            MigrationParameters(connectTimeout: .seconds(10)))
        guard let rate else {
            try migration.run()
            return figures(migration.progress, speed: 1)
        }
        source.writer.orderWrites(rate: rate)
        source.machine.resume()
        try source.writer.waitForProgress()
        usleep(200_000)
        let before = source.writer.pagesPerSecond(over: 500_000)
        let (count, started) = (source.writer.progress, monotonicNanoseconds())
        try migration.run()
        let progress = migration.progress
        let running = Double(monotonicNanoseconds() - started) / 1e9 - (progress.downtime ?? .zero) / .seconds(1)
        let during = Double(source.writer.progress - count) / running
        return figures(progress, speed: during / before)
    }

    private func figures(_ progress: MigrationProgress, speed: Double) -> MigrationFigures {
        MigrationFigures(
            seconds: progress.totalTime / .seconds(1), downtime: (progress.downtime ?? .zero) / .milliseconds(1),
            guestSpeed: speed)
    }
}
