import BenchmarkSupport
import Glibc
import SystemPackage
import VMBoot
import VMMachine
import VMMigration

extension Case {
    /// From opening a snapshot to the guest's first exit, against C that creates an empty machine with as much memory.
    static let restoreToFirstExit = Case(name: "restore-to-first-exit") { inputs in
        let path = "\(inputs.scratch)/restore.snapshot"
        defer { unlink(path) }
        return try [128, 1024].map { (mebibytes: UInt64) in
            let memory = mebibytes << 20
            try makeSnapshot(FilePath(path), memory: memory)
            let medians = try interleavedMedians(
                pairs: 201, ours: { try restore(FilePath(path)) },
                baseline: {
                    let run = try Run.baseline(
                        BenchmarkGuest.firstExit, memory: memory, marks: 1, exits: false, irqchip: true)
                    return Double(run.marks[0].nanoseconds - run.started) / 1000
                })
            return Measurement(
                name: "restore-to-first-exit-\(mebibytes)MiB", unit: "us", ours: medians.ours,
                baseline: medians.baseline)
        }
    }

    /// Of a guest that writes to the serial port again and again, whose memory is not zero.
    private static func makeSnapshot(_ path: FilePath, memory: UInt64) throws {
        // out %al, %dx; jmp back
        let code = BenchmarkGuest.firstExit.prefix(5) + [0xeb, 0xfd]
        let configuration = MachineConfiguration(
            guest: "restored", format: .flat64, memory: ByteSize(bytes: memory))
        let machine = try Machine(
            configuration, image: GuestImage(name: "restored", bytes: Array(code)), console: Marks())
        guard let slot = machine.partition.slots.first?.slot,
            let start = UnsafeMutableRawPointer(bitPattern: slot.hostAddress)
        else { throw BenchmarkError("the machine's memory is not there") }
        memset(start + (4 << 20), 7, Int(memory) - (4 << 20))
        try machine.start()
        usleep(10_000)
        try MachineSnapshots(machine).take(path, replacing: true)
        machine.stop()
        _ = machine.wait()
    }

    /// - Returns: how long it took, in microseconds.
    private static func restore(_ path: FilePath) throws -> Double {
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
