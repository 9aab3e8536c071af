import Glibc
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Where snapshots are written")
struct SnapshotPathTests {
    private static let blocks = [RAMBlock(name: "ram", pageCount: 1024)]

    /// What writing one comes to.
    private static func failure(
        _ path: String, blocks: [RAMBlock] = Self.blocks, parent: SnapshotWriter.Parent? = nil, replacing: Bool = false
    ) -> SnapshotError? {
        do throws(SnapshotError) {
            var writer = try SnapshotWriter(path: FilePath(path), blocks: blocks, parent: parent, replacing: replacing)
            if !blocks.isEmpty { try writer.write(page(of: 1), block: 0, page: 0) }
            try writer.commit(state: MachineState())
            return nil
        } catch {
            return error
        }
    }

    @Test("A path that cannot be written is refused before anything is")
    func paths() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("file", "text")
        let pipe = try folder.pipe("pipe")
        let cases: [(String, SnapshotError.Reason)] = [
            (folder.path("none/a"), .system(.noSuchFileOrDirectory)), (folder.path, .notAFile),
            (file + "/a", .system(.notDirectory)), (pipe, .notAFile), ("/dev/null", .notAFile),
            ("/proc/snapshot", .system(.noSuchFileOrDirectory)), (folder.path(".."), .notAFile),
            (folder.path(String(repeating: "n", count: 256)), .system(.fileNameTooLong)),
        ]
        for (path, reason) in cases {
            let error = Self.failure(path, replacing: true)
            #expect(error?.operation == .create && error?.path == path, "\(path)")
            #expect(error?.reason == reason, "\(path)")
        }
        #expect(Self.failure(file)?.reason == .exists)
        #expect(Self.failure("")?.operation == .create)
        #expect(try folder.names == ["file", "pipe"] && folder.contents("file") == Array("text".utf8))
    }

    @Test("A file is replaced only if that was asked for, also one that came to be meanwhile")
    func replacing() throws {
        let folder = try TemporaryFolder()
        let writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: Self.blocks)
        _ = try folder.file("a.snapshot", "text")
        do throws(SnapshotError) {
            try writer.commit(state: MachineState())
            Issue.record("the file was replaced")
        } catch {
            #expect(error.operation == .publish && error.reason == .exists)
        }
        #expect(try folder.contents("a.snapshot") == Array("text".utf8))
        #expect(Self.failure(folder.path("a.snapshot"), replacing: true) == nil)
        #expect(try Snapshot(path: folder.snapshotPath()).pageCounts == (1, 1023))
        #expect(try folder.names == ["a.snapshot"])
    }

    @Test("A writer that is not committed leaves nothing")
    func abandoned() throws {
        let folder = try TemporaryFolder()
        do {
            var writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: Self.blocks)
            try writer.write(page(of: 1), block: 0, page: 0)
        }
        #expect(try folder.names.isEmpty)
    }

    @Test("Memory can be read by its owner alone")
    func permissions() throws {
        let folder = try TemporaryFolder()
        #expect(Self.failure(folder.path("a")) == nil)
        var status = stat()
        #expect(stat(folder.path("a"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test("None of the files that a snapshot is made from is replaced by it")
    func sources() throws {
        let folder = try TemporaryFolder()
        #expect(Self.failure(folder.path("full")) == nil)
        let full = try Snapshot(path: folder.snapshotPath("full"))
        let parent = SnapshotWriter.Parent(id: full.id, path: full.path)
        symlink("full", folder.path("link"))
        link(folder.path("full"), folder.path("other"))
        #expect(Self.failure(folder.path("diff"), parent: parent) == nil)
        let before = try folder.contents("full")
        let differential = try Snapshot(path: folder.snapshotPath("diff"))
        for name in ["full", "link", "other"] {
            #expect(Self.failure(folder.path(name), parent: parent, replacing: true)?.reason == .isSource)
            let second = SnapshotWriter.Parent(id: differential.id, path: differential.path)
            #expect(Self.failure(folder.path(name), parent: second, replacing: true)?.reason == .isSource)
            #expect(throws: SnapshotError.self) {
                try differential.merge(into: folder.snapshotPath(name), replacing: true)
            }
        }
        #expect(throws: SnapshotError.self) { try differential.merge(into: differential.path, replacing: true) }
        #expect(try folder.contents("full") == before && folder.names == ["diff", "full", "link", "other"])
    }

    @Test("Blocks that no snapshot can have are refused")
    func blocks() throws {
        let folder = try TemporaryFolder()
        let lists = [
            [RAMBlock(name: "a", pageCount: 1), RAMBlock(name: "a", pageCount: 1)],
            [RAMBlock(name: String(repeating: "n", count: 256), pageCount: 1)],
            [RAMBlock(name: "a", pageCount: .max)], [RAMBlock(name: "a", pageCount: 1 << 48)],
            (0..<3).map { RAMBlock(name: "\($0)", pageCount: 1 << 47) },
            (0...4096).map { RAMBlock(name: "\($0)", pageCount: 1) },
        ]
        for blocks in lists { #expect(Self.failure(folder.path("a"), blocks: blocks)?.reason == .blocks) }
        // More than the file system's files can have.
        #expect(Self.failure(folder.path("a"), blocks: [RAMBlock(name: "a", pageCount: 1 << 47)])?.operation == .create)
        #expect(try folder.names.isEmpty)
    }

    @Test("Pages that are in no block are refused, and change nothing")
    func outOfBounds() throws {
        let folder = try TemporaryFolder()
        var writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: Self.blocks)
        for run in [
            PageRun(block: 1, pages: 0..<1), PageRun(block: -1, pages: 0..<1), PageRun(block: 0, pages: 1024..<1025),
            PageRun(block: 0, pages: 0 ..< .max),
        ] {
            do throws(SnapshotError) {
                try writer.writeZeros(run)
                Issue.record("\(run)")
            } catch {
                #expect(error.reason == .outOfBounds(run))
            }
        }
        try writer.commit(state: MachineState())
        #expect(try Snapshot(path: folder.snapshotPath()).pageCounts == (0, 1024))
    }

    @Test("Memory that cannot be read is an error that names the page, after which the rest can be written")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        var writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: Self.blocks)
        let count = 200 * 4096
        let memory = try #require(mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(memory, count) }
        memset(memory, 5, count)
        mprotect(memory + 150 * 4096, 4096, PROT_NONE)
        do throws(SnapshotError) {
            try writer.write(PageRun(block: 0, pages: 10..<210), from: memory)
            Issue.record("the page was read")
        } catch {
            let address = UInt(bitPattern: memory + 150 * 4096)
            #expect(error.reason == .unreadable(block: "ram", page: 160, address: address))
        }
        try writer.write(PageRun(block: 0, pages: 10..<160), from: memory)
        try writer.write(PageRun(block: 0, pages: 161..<210), from: memory + 151 * 4096)
        try writer.commit(state: MachineState())
        let snapshot = try Snapshot(path: folder.snapshotPath())
        try snapshot.verify()
        let pieces = snapshot.pieces(ofBlock: 0).filter { $0.source != .zero }.map(\.pages)
        #expect(pieces == [10..<160, 161..<210])
    }

    @Test("More state than a snapshot can have is refused")
    func state() throws {
        let folder = try TemporaryFolder()
        let writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: Self.blocks)
        let field = StateField("all", .bytes([UInt8](repeating: 0, count: 64 << 20)))
        do throws(SnapshotError) {
            try writer.commit(state: MachineState([StateRecord(kind: "much", version: 1, fields: [field])]))
            Issue.record("it was written")
        } catch {
            #expect(error.reason == .tooMuchState(bytes: (64 << 20) + 30))
        }
        #expect(try folder.names.isEmpty)
    }
}
