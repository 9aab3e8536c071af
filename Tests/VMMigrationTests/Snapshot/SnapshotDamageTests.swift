import Glibc
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Damaged snapshots")
struct SnapshotDamageTests {
    private static let blocks = [RAMBlock(name: "ram", pageCount: 3), RAMBlock(name: "rom", pageCount: 1)]

    /// A full snapshot `full` and one on it, `small`, whose file is damaged then.
    private static func makeChain(_ folder: TemporaryFolder) throws {
        var full = try SnapshotWriter(path: folder.snapshotPath("full"), blocks: blocks)
        try full.write(page(of: 1) + page(of: 2), block: 0, page: 1)
        let id = try full.commit(state: SnapshotRoundTripTests.state)
        var small = try SnapshotWriter(
            path: folder.snapshotPath("small"), blocks: blocks,
            parent: SnapshotWriter.Parent(id: id, path: folder.snapshotPath("full")))
        try small.write(page(of: 3), block: 0, page: 0)
        try small.write(page(of: 4), block: 1, page: 0)
        try small.writeZeros(PageRun(block: 0, pages: 2..<3))
        try small.commit(state: SnapshotRoundTripTests.state)
    }

    private static func failure(_ path: FilePath) -> SnapshotError? {
        do throws(SnapshotError) {
            try Snapshot(path: path).verify()
            return nil
        } catch {
            return error
        }
    }

    @Test("A flipped bit in any byte is found, at the opening or by verifying", arguments: ["full", "small"])
    func flips(name: String) throws {
        let folder = try TemporaryFolder()
        try Self.makeChain(folder)
        let path = folder.snapshotPath(name)
        let bytes = try folder.contents(name)
        let file = open(folder.path(name), O_RDWR | O_CLOEXEC)
        defer { close(file) }
        #expect(Self.failure(path) == nil)
        for (offset, byte) in bytes.enumerated() {
            var damaged = byte ^ (1 << (offset % 8))
            try #require(pwrite(file, &damaged, 1, offset) == 1)
            guard Self.failure(path) != nil else {
                Issue.record("byte \(offset)")
                return
            }
            var restored = byte
            try #require(pwrite(file, &restored, 1, offset) == 1)
        }
        #expect(Self.failure(path) == nil)
    }

    @Test("A damaged parent is damage to what is built on it")
    func parentDamage() throws {
        let folder = try TemporaryFolder()
        try Self.makeChain(folder)
        let length = try folder.contents("full").count
        let file = open(folder.path("full"), O_RDWR | O_CLOEXEC)
        defer { close(file) }
        for offset in [0, 20, 4095, 5000, 9000, length - 1] {
            var byte: UInt8 = 0
            try #require(pread(file, &byte, 1, offset) == 1)
            var damaged = ~byte
            try #require(pwrite(file, &damaged, 1, offset) == 1)
            #expect(Self.failure(folder.snapshotPath("small"))?.path == folder.path("full"))
            try #require(pwrite(file, &byte, 1, offset) == 1)
        }
        #expect(Self.failure(folder.snapshotPath("small")) == nil)
    }

    @Test("A file that is cut at any place is refused, and so is a longer one", arguments: ["full", "small"])
    func truncations(name: String) throws {
        let folder = try TemporaryFolder()
        try Self.makeChain(folder)
        let path = folder.snapshotPath(name)
        let length = try folder.contents(name).count
        let file = open(folder.path(name), O_RDWR | O_CLOEXEC)
        defer { close(file) }
        for cut in [length + 1] + (0..<length).reversed() {
            try #require(ftruncate(file, cut) == 0)
            guard case .flaw? = Self.failure(path)?.reason else {
                Issue.record("\(cut) bytes")
                return
            }
        }
    }

    @Test("A damaged page is named, with its file")
    func badPage() throws {
        let folder = try TemporaryFolder()
        try Self.makeChain(folder)
        let snapshot = try Snapshot(path: folder.snapshotPath("small"))
        let full = snapshot.files[1]
        let file = open(folder.path("full"), O_RDWR | O_CLOEXEC)
        defer { close(file) }
        var byte: UInt8 = 7
        pwrite(file, &byte, 1, off_t(full.bases[0]) + 2 * 4096 + 100)

        let tellsSo = Self.tells(folder.path("full"), .badPage(block: "ram", page: 2))
        #expect(performing: { try snapshot.verify() }, throws: tellsSo)
        // What replaced the page is whole.
        var bytes = [UInt8](repeating: 0, count: 3 * 4096)
        try bytes.withUnsafeMutableBytes { try snapshot.read(PageRun(block: 0, pages: 0..<3), into: $0) }
        #expect(bytes == page(of: 3) + page(of: 1) + page(of: 0))
        let base = try Snapshot(path: folder.snapshotPath("full"))
        let all = PageRun(block: 0, pages: 0..<3)
        #expect(
            performing: { try bytes.withUnsafeMutableBytes { try base.read(all, into: $0) } }, throws: tellsSo)
        #expect(performing: { try base.merge(into: folder.snapshotPath("merged")) }, throws: tellsSo)
        #expect(try folder.names == ["full", "small"])
    }

    @Test("An index that is damaged after the opening is found by verifying")
    func lateDamage() throws {
        let folder = try TemporaryFolder()
        try Self.makeChain(folder)
        let snapshot = try Snapshot(path: folder.snapshotPath("small"))
        let length = try folder.contents("full").count
        let file = open(folder.path("full"), O_RDWR | O_CLOEXEC)
        defer { close(file) }
        var byte: UInt8 = 0xee
        try #require(pwrite(file, &byte, 1, length - 1) == 1)
        #expect(
            performing: { try snapshot.verify() }, throws: Self.tells(folder.path("full"), .flaw(.indexChecksum)))
    }

    @Test("A file that is cut off after it was opened makes reading fail, and nothing else")
    func cutOff() throws {
        let folder = try TemporaryFolder()
        try Self.makeChain(folder)
        let snapshot = try Snapshot(path: folder.snapshotPath("small"))
        truncate(folder.path("full"), 5000)
        var bytes = page(of: 0)
        let second = PageRun(block: 0, pages: 1..<2)
        func isCutOff(_ error: any Error) -> Bool {
            guard let error = error as? SnapshotError, case .cutOff = error.reason else { return false }
            return error.path == folder.path("full")
        }
        #expect(
            performing: { try bytes.withUnsafeMutableBytes { try snapshot.read(second, into: $0) } }, throws: isCutOff)
        #expect(performing: { try snapshot.verify() }, throws: isCutOff)
        #expect(performing: { try snapshot.merge(into: folder.snapshotPath("merged")) }, throws: isCutOff)
        #expect(try folder.names == ["full", "small"])
    }

    /// Whether an error is of a file and of a kind.
    private static func tells(
        _ path: String, _ reason: SnapshotError.Reason
    ) -> (any Error) -> Bool {
        { error in
            guard let error = error as? SnapshotError else { return false }
            return error.path == path && error.reason == reason
        }
    }
}
