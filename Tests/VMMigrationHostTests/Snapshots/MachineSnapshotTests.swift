import Glibc
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking
import VMMachine
import VMMemory
import VMMigration
import VMRegions
import VMState

@Suite(
    "Snapshots of running machines", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct MachineSnapshotTests {
    @Test(
        "A guest goes on from a full snapshot, from a chain, and from what that is merged into; and where it was taken",
        arguments: [MachineConfiguration.DirtyTracking.log, .manual, .ring])
    func chain(_ tracking: MachineConfiguration.DirtyTracking) throws {
        let folder = try TemporaryFolder()
        let output = GuestOutput()
        let machine = try DirtyGuest.machine(output, ["--set", "4M", "--pattern", "random"]) {
            $0.dirtyTracking = tracking
        }
        let paths = (0..<4).map { FilePath("\(folder.path)/\($0)") }
        let snapshots = MachineSnapshots(machine)
        try machine.start()
        for (number, path) in paths.enumerated() {
            usleep(30_000)
            let report = try snapshots.take(path)
            #expect(report.isFull == (number == 0))
            #expect(report.pages.data > 0)
        }
        try DirtyGuest.finishRunning(machine, output)

        let merged = FilePath("\(folder.path)/merged")
        try Snapshot(path: paths[3]).merge(into: merged)
        for path in paths + [merged] {
            let snapshot = try Snapshot(path: path)
            try snapshot.verify()
            let output = GuestOutput()
            let machine = try Machine.restore(snapshot, console: output)
            try DirtyGuest.finish(machine, output, afterMicroseconds: 20_000)
        }
    }

    @Test("Many machines go on from one snapshot at once, and none sees what another writes")
    func clones() throws {
        let folder = try TemporaryFolder()
        let path = FilePath("\(folder.path)/base")
        let first = GuestOutput()
        let machine = try DirtyGuest.machine(first)
        try machine.start()
        usleep(50_000)
        try MachineSnapshots(machine).take(path)
        machine.stop()
        _ = machine.wait()

        let snapshot = try Snapshot(path: path)
        let outputs = (0..<4).map { _ in GuestOutput() }
        let clones = try outputs.map { try Machine.restore(snapshot, console: $0) }
        for clone in clones { try clone.start() }
        for (clone, output) in zip(clones, outputs) { try DirtyGuest.finishRunning(clone, output) }
        try snapshot.verify()
    }

    @Test("Where a differential snapshot fails, the next has what was written since the last that did not")
    func failure() throws {
        let folder = try TemporaryFolder()
        let output = GuestOutput()
        let machine = try DirtyGuest.machine(output, ["--set", "4M", "--pattern", "random"])
        let snapshots = MachineSnapshots(machine)
        try machine.start()
        usleep(30_000)
        let (base, next) = (FilePath("\(folder.path)/base"), FilePath("\(folder.path)/next"))
        try snapshots.take(base)
        usleep(30_000)
        #expect(throws: MigrationError.self) { try snapshots.take(base) }
        // Another file gets the name while memory is copied. How long that takes is found out.
        var failure: SnapshotError.Operation?
        var delay: UInt32 = 1000
        for attempt in 0..<200 where failure != .publish {
            let path = "\(folder.path)/taken.\(attempt)"
            let rival = TestThread { [delay] in
                usleep(delay)
                close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600))
            }
            do throws(MigrationError) {
                try snapshots.take(FilePath(path))
                delay /= 2
            } catch .snapshot(let reason) {
                failure = reason.operation
                delay += delay / 3 + 1
            }
            rival.join()
            usleep(10_000)
        }
        #expect(failure == .publish)
        let report = try snapshots.take(next)
        #expect(!report.isFull)
        try DirtyGuest.finishRunning(machine, output)
        let restored = GuestOutput()
        let snapshot = try Snapshot(path: next)
        try DirtyGuest.finish(try Machine.restore(snapshot, console: restored), restored)
    }

    @Test("What was written and then hidden is in the next snapshot, which is a full one")
    func hiddenPages() throws {
        let folder = try TemporaryFolder()
        let output = GuestOutput()
        let machine = try DirtyGuest.machine(output)
        let place = try MemoryRange(start: GuestAddress(1 << 30), count: 1 << 20)
        let added = try machine.addRAM(at: place)
        let snapshots = MachineSnapshots(machine)
        let paths = (0..<3).map { FilePath("\(folder.path)/\($0)") }
        try snapshots.take(paths[0])
        try machine.memory.store(UInt64(0x1234_5678), at: place.start)
        var update = RegionUpdate()
        update.unmap(added)
        let hiding = update
        try machine.regions.withTurn { manager throws(RegionManagerError) in try manager.apply(hiding) }
        let (second, third) = (try snapshots.take(paths[1]), try snapshots.take(paths[2]))
        #expect(second.isFull && !third.isFull)
        let restored = try Machine.restore(try Snapshot(path: paths[2]), console: output)
        let contents = try restored.regions.withTurn { manager throws(RegionManagerError) in
            try manager.contents().first { $0.backing.name == "added ram" }
        }
        let extent = try #require(contents?.extents.first)
        let word = try #require(UnsafePointer<UInt64>(bitPattern: extent.hostAddress))
        #expect(word.pointee == 0x1234_5678)
        withExtendedLifetime((added, restored)) {}
    }

    @Test("A restored machine's snapshots are built on the one it came from, if it was tracked from the start")
    func restoredChain() throws {
        let folder = try TemporaryFolder()
        let paths = (0..<3).map { FilePath("\(folder.path)/\($0)") }
        let output = GuestOutput()
        var machine = try DirtyGuest.machine(output)
        try machine.start()
        usleep(50_000)
        try MachineSnapshots(machine).take(paths[0])
        for (from, to) in [(0, 1), (1, 2)] {
            machine.handOver()
            _ = machine.wait()
            let snapshot = try Snapshot(path: paths[from])
            machine = try Machine.restore(snapshot, console: output)
            let snapshots = MachineSnapshots(machine, restoredFrom: snapshot)
            try snapshots.startTracking()
            try machine.start()
            usleep(50_000)
            let report = try snapshots.take(paths[to])
            #expect(!report.isFull)
        }
        machine.stop()
        _ = machine.wait()
        let untracked = try Machine.restore(try Snapshot(path: paths[2]), console: output)
        let full = FilePath("\(folder.path)/full")
        let report = try MachineSnapshots(untracked, restoredFrom: try Snapshot(path: paths[2])).take(full)
        #expect(report.isFull)
        let last = GuestOutput()
        try DirtyGuest.finish(try Machine.restore(try Snapshot(path: full), console: last), last)
    }

    @Test("A guest that has ended has no snapshot, and no file is left")
    func endedGuest() throws {
        let folder = try TemporaryFolder()
        let output = GuestOutput()
        let machine = try DirtyGuest.machine(output, ["--set", "1M", "--passes", "1"])
        _ = try machine.run()
        #expect(throws: MigrationError.self) {
            try MachineSnapshots(machine).take(FilePath("\(folder.path)/late"))
        }
        #expect(access("\(folder.path)/late", F_OK) != 0)
    }
}
