import Glibc
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Snapshots on a full disk")
struct SnapshotDiskFullTests {
    private static let blocks = [RAMBlock(name: "ram", pageCount: 1024)]

    @Test(
        "A full disk is an error that says so, wherever it is found; the old file stays and nothing else",
        .enabled(if: SmallDisk.isUsable, "needs to mount a tmpfs, which this user may not"))
    func full() throws {
        let disk = try #require(try SmallDisk(bytes: 1 << 20))
        let path = disk.folder.snapshotPath()
        try SnapshotWriter(path: path, blocks: Self.blocks).commit(state: MachineState())
        var places: Set<SnapshotError.Operation> = []
        // Up to more pages than there is room for: then hashes or index are what does not fit.
        for count in UInt64(200)...256 {
            do throws(SnapshotError) {
                var writer = try SnapshotWriter(path: path, blocks: Self.blocks, replacing: true)
                for number in 0..<count { try writer.write(page(of: 1), block: 0, page: number) }
                try writer.commit(state: SnapshotRoundTripTests.state)
                try SnapshotWriter(path: path, blocks: Self.blocks, replacing: true).commit(state: MachineState())
            } catch {
                places.insert(error.operation)
                #expect(error.reason == .diskFull(.noSpace) && "\(error)".contains("the disk is full"))
            }
            #expect(try disk.folder.names == ["a.snapshot"])
            #expect(try Snapshot(path: path).pageCounts == (0, 1024))
        }
        #expect(places == [.write])
    }

    @Test("A file that would pass the process's limit is refused, rather than the process killed")
    func limit() throws {
        let folder = try TemporaryFolder()
        var before = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        try #require(getrlimit(resource, &before) == 0)
        defer { setrlimit(resource, &before) }
        // More than any other test writes.
        var limit = rlimit(rlim_cur: 1 << 40, rlim_max: before.rlim_max)
        try #require(setrlimit(resource, &limit) == 0)
        do throws(SnapshotError) {
            _ = try SnapshotWriter(path: folder.snapshotPath(), blocks: [RAMBlock(name: "ram", pageCount: 1 << 28)])
            Issue.record("it was begun")
        } catch {
            #expect(error.reason == .fileSizeLimit(1 << 40))
        }
    }
}
