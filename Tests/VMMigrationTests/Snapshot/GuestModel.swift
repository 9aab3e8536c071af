import Glibc
import SystemPackage
import TestSupport
import VMMigration

/// What a guest's memory should be, as plain bytes, and writes to it that a snapshot's writer is told of.
final class GuestModel {
    let blocks: [RAMBlock]
    private(set) var contents: [UnsafeMutableRawBufferPointer]
    var random: SeededGenerator

    static let pageBytes = 4096

    /// Blocks of several chunks, of a part of one, and of none.
    static let blocks = [
        RAMBlock(name: "ram", pageCount: 1100), RAMBlock(name: "rom", pageCount: 17),
        RAMBlock(name: "none", pageCount: 0), RAMBlock(name: "vga", pageCount: 64),
    ]

    init(seed: UInt64, blocks: [RAMBlock] = GuestModel.blocks) {
        self.blocks = blocks
        random = SeededGenerator(seed: seed)
        contents = blocks.map { block in
            let bytes = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Int(block.byteCount), alignment: Self.pageBytes)
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            return bytes
        }
    }

    deinit { for bytes in contents { bytes.deallocate() } }

    func pages(_ run: PageRun) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            rebasing: contents[run.block][Int(run.bytes.lowerBound)..<Int(run.bytes.upperBound)])
    }

    /// Changes pages at random and writes them.
    func write(_ count: Int, to writer: inout SnapshotWriter) throws {
        for _ in 0..<count {
            let run = randomRun()
            if Int.random(in: 0..<6, using: &random) == 0 {
                pages(run).initializeMemory(as: UInt8.self, repeating: 0)
                try writer.writeZeros(run)
            } else {
                change(run)
                guard let start = pages(run).baseAddress else { continue }
                try writer.write(run, from: start)
            }
        }
    }

    func randomRun() -> PageRun {
        let block = Int.random(in: 0..<blocks.count, using: &random)
        let first = UInt64.random(in: 0...blocks[block].pageCount, using: &random)
        let longest: UInt64 = [1, 3, 70, 400].randomElement(using: &random) ?? 1
        let count = min(UInt64.random(in: 0...longest, using: &random), blocks[block].pageCount - first)
        return PageRun(block: block, pages: first..<(first + count))
    }

    private func change(_ run: PageRun) {
        for page in run.pages {
            let bytes = pages(PageRun(block: run.block, pages: page..<(page + 1)))
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.initializeMemory(as: UInt8.self, repeating: 0)
            case 1:
                // As little as keeps a page from being zero.
                bytes.initializeMemory(as: UInt8.self, repeating: 0)
                bytes[Int.random(in: 0..<Self.pageBytes, using: &random)] = 1
            default:
                bytes.initializeMemory(as: UInt64.self, repeating: UInt64.random(in: 1 ... .max, using: &random))
            }
        }
    }

    /// Whether the snapshot has the model's memory: read as a whole, in parts, and where its pieces say that it is.
    func isEqual(to snapshot: Snapshot) throws -> Bool {
        guard snapshot.blocks == blocks else { return false }
        for (block, expected) in contents.enumerated() {
            let whole = PageRun(block: block, pages: 0..<blocks[block].pageCount)
            var found = [UInt8](repeating: 0xee, count: expected.count)
            try found.withUnsafeMutableBytes { try snapshot.read(whole, into: $0) }
            guard expected.hasBytes(found), try placesAreEqual(block, snapshot) else { return false }
        }
        for _ in 0..<20 {
            let run = randomRun()
            let expected = pages(run)
            var found = [UInt8](repeating: 0xee, count: expected.count)
            try found.withUnsafeMutableBytes { try snapshot.read(run, into: $0) }
            guard expected.hasBytes(found) else { return false }
        }
        return true
    }

    private func placesAreEqual(_ block: Int, _ snapshot: Snapshot) throws -> Bool {
        var end: UInt64 = 0
        for piece in snapshot.pieces(ofBlock: block) {
            guard piece.pages.lowerBound == end, !piece.pages.isEmpty else { return false }
            end = piece.pages.upperBound
            let expected = pages(PageRun(block: block, pages: piece.pages))
            var found = [UInt8](repeating: 0, count: expected.count)
            if case .data(let file, let offset) = piece.source {
                let number = snapshot.files[file].descriptor.rawValue
                guard pread(number, &found, found.count, off_t(offset)) == found.count else { return false }
            }
            guard expected.hasBytes(found) else { return false }
        }
        return end == blocks[block].pageCount
    }
}

extension SnapshotWriter {
    /// Writes bytes as pages of a block.
    mutating func write(_ bytes: [UInt8], block: Int, page: UInt64) throws(SnapshotError) {
        let run = PageRun(block: block, pages: page..<(page + UInt64(bytes.count / GuestModel.pageBytes)))
        var failure: SnapshotError?
        bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            do throws(SnapshotError) { try write(run, from: start) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

extension UnsafeMutableRawBufferPointer {
    func hasBytes(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { hasBytes($0) } }

    func hasBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count == count, let start = baseAddress, let other = bytes.baseAddress else {
            return bytes.count == count
        }
        return memcmp(start, other, count) == 0
    }
}

/// A page full of a byte.
func page(of byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: GuestModel.pageBytes) }

extension TemporaryFolder {
    func snapshotPath(_ name: String = "a.snapshot") -> FilePath { FilePath(path(name)) }

    /// What is in it.
    var names: [String] { get throws { try Self.entries(path).sorted() } }
}
