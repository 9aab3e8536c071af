import Glibc
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Chains of snapshots")
struct SnapshotChainTests {
    private static func failure(_ path: FilePath) -> SnapshotError? {
        do throws(SnapshotError) {
            _ = try Snapshot(path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test("A parent that is missing, or another one, is named")
    func parents() throws {
        let folder = try TemporaryFolder()
        try ForgedSnapshot.differential("b", id: (5, 6), parent: (1, 2)).write(folder.path("a"))
        let missing = Self.failure(folder.snapshotPath("a"))
        #expect(missing?.path == folder.path("b") && missing?.reason == .system(.noSuchFileOrDirectory))

        var other = ForgedSnapshot()
        other.id = (1, 3)
        try other.write(folder.path("b"))
        let otherID = try Snapshot(path: folder.snapshotPath("b")).id
        guard case .otherParent(_, let found)? = Self.failure(folder.snapshotPath("a"))?.reason else {
            Issue.record("another parent was taken")
            return
        }
        #expect(found == otherID)

        for name in ["pipe", "folder"] {
            try ForgedSnapshot.differential(name, id: (5, 6), parent: (1, 2)).write(folder.path("a"))
            if name == "pipe" { _ = try folder.pipe(name) } else { mkdir(folder.path(name), 0o755) }
            #expect(Self.failure(folder.snapshotPath("a"))?.reason == .notAFile)
        }
    }

    @Test("A parent with other blocks is refused")
    func blocks() throws {
        let folder = try TemporaryFolder()
        try ForgedSnapshot.differential("b", id: (5, 6), parent: (1, 2)).write(folder.path("a"))
        for change in [{ $0.pageCount = 5 }, { $0.name = [0x61] }] as [(inout ForgedSnapshot.Block) -> Void] {
            var forged = ForgedSnapshot()
            change(&forged.blocks[0])
            try forged.write(folder.path("b"))
            let error = Self.failure(folder.snapshotPath("a"))
            #expect(error?.reason == .otherBlocks && error?.path == folder.path("b"))
        }
    }

    @Test("Snapshots that are each other's parents are refused")
    func cycles() throws {
        let folder = try TemporaryFolder()
        try ForgedSnapshot.differential("b", id: (1, 1), parent: (2, 2)).write(folder.path("a"))
        try ForgedSnapshot.differential("c", id: (2, 2), parent: (3, 3)).write(folder.path("b"))
        try ForgedSnapshot.differential("b", id: (3, 3), parent: (2, 2)).write(folder.path("c"))
        #expect(Self.failure(folder.snapshotPath("a"))?.reason == .cycle)
    }

    @Test("A chain has up to 64 files")
    func depth() throws {
        let folder = try TemporaryFolder()
        var full = ForgedSnapshot()
        full.id = (0, 100)
        try full.write(folder.path("0"))
        for link in 1..<66 {
            let forged = ForgedSnapshot.differential(
                "\(link - 1)", id: (UInt64(link), 100), parent: (UInt64(link) - 1, 100))
            try forged.write(folder.path("\(link)"))
        }
        let longest = try Snapshot(path: folder.snapshotPath("63"))
        #expect(longest.files.count == 64)
        try longest.verify()
        for link in ["64", "65"] { #expect(Self.failure(folder.snapshotPath(link))?.reason == .tooDeep) }

        // None is begun that could not be opened.
        let parent = SnapshotWriter.Parent(id: longest.id, path: longest.path)
        do throws(SnapshotError) {
            _ = try SnapshotWriter(path: folder.snapshotPath("new"), blocks: longest.blocks, parent: parent)
            Issue.record("it was begun")
        } catch {
            #expect(error.reason == .tooDeep)
        }
        // A merge makes it short again.
        let id = try longest.merge(into: folder.snapshotPath("merged"))
        let writer = try SnapshotWriter(
            path: folder.snapshotPath("new"), blocks: longest.blocks,
            parent: SnapshotWriter.Parent(id: id, path: folder.snapshotPath("merged")))
        try writer.commit(state: MachineState())
        #expect(try Snapshot(path: folder.snapshotPath("new")).files.count == 2)
    }

    @Test("A differential snapshot is not begun on a parent that is missing, another one, or has other blocks")
    func writing() throws {
        let folder = try TemporaryFolder()
        let blocks = [RAMBlock(name: "ram", pageCount: 4)]
        func failure(_ parent: SnapshotWriter.Parent, _ blocks: [RAMBlock]) -> SnapshotError.Reason? {
            do throws(SnapshotError) {
                _ = try SnapshotWriter(path: folder.snapshotPath("new"), blocks: blocks, parent: parent)
                return nil
            } catch {
                return error.reason
            }
        }
        let path = folder.snapshotPath("full")
        let some = SnapshotID()
        #expect(failure(SnapshotWriter.Parent(id: some, path: path), blocks) == .system(.noSuchFileOrDirectory))
        let id = try SnapshotWriter(path: path, blocks: blocks).commit(state: MachineState())
        #expect(
            failure(SnapshotWriter.Parent(id: some, path: path), blocks) == .otherParent(expected: some, found: id))
        #expect(failure(SnapshotWriter.Parent(id: id, path: path), []) == .otherBlocks)
        #expect(failure(SnapshotWriter.Parent(id: id, path: path), blocks) == nil)
        #expect(try folder.names == ["full"])
    }
}
