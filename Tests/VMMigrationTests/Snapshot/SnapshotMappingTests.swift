import Glibc
import TestSupport
import Testing
import VMMigration
import VMState

@Suite("Snapshots that are mapped")
struct SnapshotMappingTests {
    @Test("Clones of a snapshot see its pages, and none the writes of another")
    func clones() throws {
        let folder = try TemporaryFolder()
        let model = GuestModel(seed: 5)
        var writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: model.blocks)
        try model.write(30, to: &writer)
        try writer.commit(state: MachineState())
        let snapshot = try Snapshot(path: folder.snapshotPath())

        for (block, expected) in model.contents.enumerated() where !expected.isEmpty {
            let first = try #require(Self.map(snapshot, block))
            let second = try #require(Self.map(snapshot, block))
            defer { for mapping in [first, second] { munmap(mapping.baseAddress, mapping.count) } }
            let isThere = [first, second].allSatisfy { $0.hasBytes(UnsafeRawBufferPointer(expected)) }
            #expect(isThere)
            first.initializeMemory(as: UInt8.self, repeating: 0xff)
            #expect(second.hasBytes(UnsafeRawBufferPointer(expected)))
        }
        try snapshot.verify()
        #expect(try model.isEqual(to: snapshot))
    }

    @Test("A mapping outlives the snapshot, and the replacement of its file")
    func replacement() throws {
        let folder = try TemporaryFolder()
        let blocks = [RAMBlock(name: "ram", pageCount: 4)]
        func write(_ byte: UInt8) throws {
            var writer = try SnapshotWriter(path: folder.snapshotPath(), blocks: blocks, replacing: true)
            try writer.write(page(of: byte), block: 0, page: 2)
            try writer.commit(state: MachineState())
        }
        try write(1)
        let mapping = try #require(Self.map(Snapshot(path: folder.snapshotPath()), 0))
        defer { munmap(mapping.baseAddress, mapping.count) }
        try write(2)
        #expect(mapping.elementsEqual(page(of: 0) + page(of: 0) + page(of: 1) + page(of: 0)))
    }

    /// A block as a whole, from a snapshot of one file.
    private static func map(_ snapshot: Snapshot, _ block: Int) -> UnsafeMutableRawBufferPointer? {
        let count = Int(snapshot.blocks[block].byteCount)
        let address = mmap(
            nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE, snapshot.files[0].descriptor.rawValue,
            off_t(snapshot.files[0].bases[block]))
        return address == MAP_FAILED ? nil : UnsafeMutableRawBufferPointer(start: address, count: count)
    }
}
