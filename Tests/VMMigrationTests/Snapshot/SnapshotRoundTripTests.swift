import Glibc
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Snapshots")
struct SnapshotRoundTripTests {
    static let state = MachineState([
        StateRecord(kind: "vcpu.registers", instance: 1, version: 2, fields: [StateField("rip", .number(0xfff0))])
    ])

    @Test("What was written comes back page by page, from a full snapshot and each of a chain on it", arguments: 0..<12)
    func randomChains(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let model = GuestModel(seed: seed)
        var parent: SnapshotWriter.Parent?
        for link in 0..<4 {
            let path = folder.snapshotPath("\(link)")
            var writer = try SnapshotWriter(path: path, blocks: model.blocks, parent: parent)
            try model.write(link == 0 ? 20 : 8, to: &writer)
            let id = try writer.commit(state: Self.state)

            let snapshot = try Snapshot(path: path)
            #expect(snapshot.id == id && snapshot.files.count == link + 1 && snapshot.isFull == (link == 0))
            #expect(snapshot.state == Self.state)
            #expect(try model.isEqual(to: snapshot))
            try snapshot.verify()

            let mergedPath = folder.snapshotPath("merged \(link)")
            let mergedID = try snapshot.merge(into: mergedPath)
            let merged = try Snapshot(path: mergedPath)
            #expect(merged.id == mergedID && mergedID != id && merged.isFull && merged.files.count == 1)
            #expect(merged.state == Self.state && merged.pageCounts == snapshot.pageCounts)
            #expect(try model.isEqual(to: merged))
            try merged.verify()
            parent = SnapshotWriter.Parent(id: id, path: path)
        }
        #expect(try folder.names == (0..<4).map { "\($0)" } + (0..<4).map { "merged \($0)" })
    }

    @Test("A differential snapshot can be built on a merged one, and in another folder than its parent's")
    func acrossFolders() throws {
        let folder = try TemporaryFolder()
        for name in ["deep", "deep/full", "diff"] { mkdir(folder.path(name), 0o755) }
        let model = GuestModel(seed: 99)
        let fullPath = folder.snapshotPath("deep/full/a")
        var full = try SnapshotWriter(path: fullPath, blocks: model.blocks)
        try model.write(10, to: &full)
        let id = try full.commit(state: MachineState())
        let path = folder.snapshotPath("diff/b")
        var differential = try SnapshotWriter(
            path: path, blocks: model.blocks, parent: SnapshotWriter.Parent(id: id, path: fullPath))
        try model.write(3, to: &differential)
        try differential.commit(state: MachineState())
        #expect(try model.isEqual(to: Snapshot(path: path)))

        // A link to it is not what the parent is looked for from.
        symlink("diff/b", folder.path("link"))
        #expect(try model.isEqual(to: Snapshot(path: folder.snapshotPath("link"))))

        // Both moved together: the way from one to the other is the same.
        mkdir(folder.path("elsewhere"), 0o755)
        rename(folder.path("deep"), folder.path("elsewhere/deep"))
        rename(folder.path("diff"), folder.path("elsewhere/diff"))
        #expect(try model.isEqual(to: Snapshot(path: folder.snapshotPath("elsewhere/diff/b"))))
    }

    @Test("The last of several writes to a page counts, and zero pages take no space")
    func rewriting() throws {
        let folder = try TemporaryFolder()
        let path = folder.snapshotPath()
        var writer = try SnapshotWriter(path: path, blocks: [RAMBlock(name: "ram", pageCount: 1024)])
        for page in UInt64(0)..<1024 { try writer.write(VMMigrationTests.page(of: 1), block: 0, page: page) }
        #expect(writer.pageCounts == (1024, 0))
        try writer.write([UInt8](repeating: 0, count: 4096 * 512), block: 0, page: 0)
        try writer.writeZeros(PageRun(block: 0, pages: 512..<1020))
        try writer.write(page(of: 2), block: 0, page: 7)
        let counts = writer.pageCounts
        #expect(counts == (5, 1019))
        try writer.commit(state: MachineState())

        let snapshot = try Snapshot(path: path)
        try snapshot.verify()
        var status = stat()
        #expect(stat(path.string, &status) == 0 && status.st_size > 1024 * 4096 && status.st_blocks * 512 < 100_000)
        var found = [UInt8](repeating: 9, count: 4096 * 2)
        try found.withUnsafeMutableBytes { try snapshot.read(PageRun(block: 0, pages: 7..<9), into: $0) }
        #expect(found == page(of: 2) + page(of: 0))
        #expect(snapshot.pageCounts == (5, 1019))
    }

    @Test("A snapshot of much memory that is zero is a small file, and so is its merge")
    func sparse() throws {
        let folder = try TemporaryFolder()
        let blocks = [RAMBlock(name: "ram", pageCount: (64 << 30) / 4096)]
        var writer = try SnapshotWriter(path: folder.snapshotPath("a"), blocks: blocks)
        try writer.write(page(of: 1), block: 0, page: blocks[0].pageCount - 1)
        try writer.commit(state: MachineState())
        let snapshot = try Snapshot(path: folder.snapshotPath("a"))
        try snapshot.verify()
        try snapshot.merge(into: folder.snapshotPath("b"))
        for name in ["a", "b"] {
            var status = stat()
            #expect(stat(folder.path(name), &status) == 0 && status.st_size > 64 << 30 && status.st_blocks < 200)
        }
    }

    @Test("Reading past a block, or into room of another size, is refused")
    func readBounds() throws {
        let folder = try TemporaryFolder()
        let writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: GuestModel.blocks)
        try writer.commit(state: MachineState())
        let snapshot = try Snapshot(path: folder.snapshotPath())
        let runs = [(0, 1100..<1101), (0, UInt64.max - 1..<UInt64.max), (4, 0..<1), (-1, 0..<1), (0, 0..<2)]
        for (block, pages) in runs {
            let run = PageRun(block: block, pages: UInt64(pages.lowerBound)..<UInt64(pages.upperBound))
            var bytes = page(of: 0)
            #expect(throws: SnapshotError.self) {
                try bytes.withUnsafeMutableBytes { try snapshot.read(run, into: $0) }
            }
        }
        #expect(Array(snapshot.pieces(ofBlock: 4)).isEmpty && Array(snapshot.pieces(ofBlock: -1)).isEmpty)
    }
}
