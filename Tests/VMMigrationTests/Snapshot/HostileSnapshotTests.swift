import Glibc
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Snapshots made to do harm")
struct HostileSnapshotTests {
    typealias Flaw = SnapshotError.Flaw

    struct Forgery: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let flaw: Flaw
        let change: @Sendable (inout ForgedSnapshot) -> Void

        init(_ name: String, _ flaw: Flaw, _ change: @escaping @Sendable (inout ForgedSnapshot) -> Void) {
            testDescription = name
            self.flaw = flaw
            self.change = change
        }
    }

    /// What is wrong with a record of one byte.
    private static let stateFlaw: Flaw = {
        do throws(StateCodingError) {
            _ = try MachineState(decoding: [1])
            return .stateLength
        } catch {
            return .state(error)
        }
    }()

    private static let headers: [Forgery] = [
        Forgery("magic", .notASnapshot) { $0.magic[7] = 0x32 },
        Forgery("version", .version(2)) { $0.version = 2 },
        Forgery("flags", .reservedBits) { $0.flags = 2 },
        Forgery("reserved", .reservedBits) { $0.reserved = 1 << 63 },
        Forgery("no identifier", .identifier) { $0.id = (0, 0) },
        Forgery("its own parent", .identifier) { $0 = .differential("a", id: (1, 2), parent: (1, 2)) },
        Forgery("full with parent", .parentIdentifier) { $0.parent = (3, 4) },
        Forgery("differential without", .parentIdentifier) { $0.flags = 1 },
        Forgery("index past the end", .indexPlace) { $0.indexOffset = 1 << 50 },
        Forgery("index far past the end", .indexPlace) { $0.indexOffset = .max },
        Forgery("index in the header", .indexPlace) { $0.indexOffset = 0 },
        Forgery("long index", .indexPlace) { $0.indexLength = .max },
        Forgery("short index", .indexPlace) { $0.indexLength = 0 },
    ]

    private static let tables: [Forgery] = [
        Forgery("too many blocks", .blockCount) { $0.blockCount = .max },
        Forgery("more blocks than there are", .indexLength) { $0.blockCount = 2 },
        Forgery("no block, but runs", .hashPlace) { $0.blockCount = 0 },
        Forgery("name of no UTF-8", .blockName) { $0.blocks[0].name = [0xff] },
        Forgery("one name twice", .blockName) { $0.blocks.append(.init(pageCount: 1, base: 5 * 4096)) },
        Forgery("block in the header", .blockPlace) { $0.blocks[0].base = 0 },
        Forgery("block at no page", .blockPlace) { $0.blocks[0].base = 4097 },
        Forgery("block past the memory", .blockPlace) { $0.blocks[0].base = 18 * 4096 },
        Forgery("block at the end of all", .blockPlace) { $0.blocks[0].base = .max & ~4095 },
        Forgery("block into the hashes", .blockPlace) { $0.blocks[0].pageCount = 17 },
        Forgery("endless block", .blockPlace) { $0.blocks[0].pageCount = .max },
        Forgery("block of 2^52 pages", .blockPlace) { $0.blocks[0].pageCount = 1 << 52 },
        Forgery("blocks overlap", .blockPlace) {
            $0.blocks.append(.init(name: [0x61], pageCount: 4, base: 4 * 4096, runs: []))
        },
        Forgery("parent's name in a full one", .parentName) { $0.parentName = [0x61] },
        Forgery("long name", .parentName) { $0.parentLength = .max },
        Forgery("no name", .parentName) { $0 = .differential("", id: (1, 2), parent: (3, 4)) },
        Forgery("absolute name", .parentName) { $0 = .differential("/a", id: (1, 2), parent: (3, 4)) },
        Forgery("folder's name", .parentName) { $0 = .differential("..", id: (1, 2), parent: (3, 4)) },
        Forgery("zero in the name", .parentName) { $0 = .differential("a\0b", id: (1, 2), parent: (3, 4)) },
    ]

    private static let contents: [Forgery] = [
        Forgery("empty run", .emptyRun) { $0.blocks[0].runs = [(1, 0)] },
        Forgery("run past the block", .runOutOfBlock) { $0.blocks[0].runs = [(3, 2)] },
        Forgery("run far past", .runOutOfBlock) { $0.blocks[0].runs = [(.max, 1)] },
        Forgery("run around the end", .runOutOfBlock) {
            $0.blocks[0].runs = [(3, (1 << 63) - 1)]
            $0.dataCount = 2
        },
        Forgery("overlap", .runOrder) { $0.blocks[0].runs = [(0, 2), (1, 1)] },
        Forgery("order", .runOrder) { $0.blocks[0].runs = [(2, 1), (0, 1)] },
        Forgery("zeros in a full one", .zeroRun) { $0.blocks[0].runs = [(1, 2 | ForgedSnapshot.zeroFlag)] },
        Forgery("many runs", .indexLength) { $0.blocks[0].runCount = .max },
        Forgery("a run too many", .indexLength) { $0.blocks[0].runCount = 2 },
        Forgery("a run too few", .hashPlace) { $0.blocks[0].runCount = 0 },
        Forgery("hashes before the file", .hashPlace) { $0.dataCount = 1 << 60 },
        Forgery("countless hashes", .hashPlace) { $0.dataCount = .max },
        Forgery("a hash too many", .hashPlace) { $0.dataCount = 3 },
        Forgery("a hash too few", .hashPlace) { $0.dataCount = 1 },
        Forgery("long state", .stateLength) { $0.stateLength = .max },
        Forgery("state past the end", .indexLength) { $0.stateLength = 1 },
        Forgery("state that is none", stateFlaw) { $0.state = [1] },
        Forgery("more after the state", .indexLength) { $0.extra = [1] },
    ]

    @Test("Each thing that cannot be is refused for what it is", arguments: headers + tables + contents)
    func forgeries(forgery: Forgery) throws {
        let folder = try TemporaryFolder()
        var forged = ForgedSnapshot()
        forgery.change(&forged)
        try forged.write(folder.path("a"))
        do throws(SnapshotError) {
            _ = try Snapshot(path: folder.snapshotPath("a"))
            Issue.record("it was opened")
        } catch {
            #expect(error.reason == .flaw(forgery.flaw))
            #expect(error.operation == .open && error.path == folder.path("a"))
        }
    }

    @Test("The file that the forged ones differ from is a snapshot")
    func honest() throws {
        let folder = try TemporaryFolder()
        try ForgedSnapshot().write(folder.path("a"))
        let snapshot = try Snapshot(path: folder.snapshotPath("a"))
        try snapshot.verify()
        #expect(snapshot.pageCounts == (2, 2))
    }

    @Test("Bytes where there is no page are found by verifying")
    func strayBytes() throws {
        let folder = try TemporaryFolder()
        var forged = ForgedSnapshot()
        forged.blocks[0].runs = [(1, 1)]
        try forged.write(folder.path("a"))
        do throws(SnapshotError) {
            try Snapshot(path: folder.snapshotPath("a")).verify()
            Issue.record("they were not found")
        } catch {
            #expect(error.reason == .strayBytes(3 * 4096))
        }
    }

    @Test(
        "A file that is long but has nothing in it takes neither memory nor time",
        arguments: [1 << 30, 1 << 42, 1 << 43])
    func sparse(length: Int) throws {
        let folder = try TemporaryFolder()
        var forged = ForgedSnapshot()
        forged.fileLength = UInt64(length)
        forged.indexLength = UInt64(length) - 17 * 4096 - 16
        try forged.write(folder.path("a"))
        truncate(folder.path("a"), length)
        #expect(throws: SnapshotError.self) { try Snapshot(path: folder.snapshotPath("a")) }
    }

    @Test("Bytes at random are no snapshot, whatever is right about their header")
    func random() throws {
        var random = SeededGenerator(seed: 1)
        let folder = try TemporaryFolder()
        for _ in 0..<300 {
            var forged = ForgedSnapshot()
            forged.blocks[0].runs = []
            forged.extra = (0..<Int.random(in: 1..<200, using: &random)).map { _ in
                UInt8.random(in: 0...3, using: &random)
            }
            try forged.write(folder.path("a"))
            #expect(throws: SnapshotError.self) { try Snapshot(path: folder.snapshotPath("a")) }
        }
    }
}
