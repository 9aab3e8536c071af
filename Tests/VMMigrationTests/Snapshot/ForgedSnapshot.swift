import CXXHash
import Glibc
import SystemPackage
import TestSupport
import VMMigration
import VMState

/// A snapshot's file made by hand, with checksums that are right, whatever else is not.
struct ForgedSnapshot {
    struct Block {
        var name: [UInt8] = Array("ram".utf8)
        var pageCount: UInt64 = 4
        var base: UInt64 = 4096
        var runCount: UInt64?
        /// First page, and count with the flag.
        var runs: [(UInt64, UInt64)] = [(1, 2)]
    }

    var magic: [UInt8] = Array("VMMSNAP1".utf8)
    var version: UInt32 = 1
    var flags: UInt32 = 0
    var id: (UInt64, UInt64) = (1, 2)
    var parent: (UInt64, UInt64) = (0, 0)
    var indexOffset: UInt64?
    var indexLength: UInt64?
    var fileLength: UInt64?
    var reserved: UInt64 = 0
    var blockCount: UInt32?
    var parentLength: UInt32?
    var stateLength: UInt64?
    var dataCount: UInt64?
    var blocks = [Block()]
    var parentName: [UInt8] = []
    var state: [UInt8] = []
    /// After the index's last byte, and of it.
    var extra: [UInt8] = []

    static let zeroFlag: UInt64 = 1 << 63

    /// A differential one.
    static func differential(_ name: String, id: (UInt64, UInt64), parent: (UInt64, UInt64)) -> ForgedSnapshot {
        var forged = ForgedSnapshot()
        forged.flags = 1
        forged.id = id
        forged.parent = parent
        forged.parentName = Array(name.utf8)
        return forged
    }

    /// What it has of pages, which are all full of 1, their hashes and its index.
    func write(_ path: String) throws {
        let dataCount = blocks.flatMap(\.runs).filter { $0.1 & Self.zeroFlag == 0 }.reduce(0) { $0 &+ $1.1 }
        let hashCount = min(self.dataCount ?? dataCount, 100)
        let hashOffset: UInt64 = 4096 + 16 * 4096
        let indexOffset = hashOffset + hashCount * 8
        let index = indexBytes(dataCount: self.dataCount ?? dataCount)
        var file = header(index, indexOffset: indexOffset)
        file += (0..<16).flatMap { page in
            (1..<3).contains(page) ? VMMigrationTests.page(of: 1) : VMMigrationTests.page(of: 0)
        }
        let hash = VMMigrationTests.page(of: 1).withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) }
        for _ in 0..<hashCount { file += bytes(hash) }
        file += index
        let descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        guard Glibc.write(descriptor, file, file.count) == file.count else { throw Errno.ioError }
    }

    private func indexBytes(dataCount: UInt64) -> [UInt8] {
        var index = bytes(blockCount ?? UInt32(blocks.count)) + bytes(parentLength ?? UInt32(parentName.count))
        index += bytes(stateLength ?? UInt64(state.count)) + bytes(dataCount)
        for block in blocks {
            index += bytes(block.pageCount) + bytes(block.base) + bytes(block.runCount ?? UInt64(block.runs.count))
            index += [UInt8(block.name.count)] + block.name
        }
        index += parentName
        for (first, count) in blocks.flatMap(\.runs) { index += bytes(first) + bytes(count) }
        return index + state + extra
    }

    private func header(_ index: [UInt8], indexOffset: UInt64) -> [UInt8] {
        let checksum = index.withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) }
        var header =
            magic + bytes(version) + bytes(flags) + bytes(id.0) + bytes(id.1) + bytes(parent.0) + bytes(parent.1)
        header += bytes(self.indexOffset ?? indexOffset) + bytes(indexLength ?? UInt64(index.count)) + bytes(checksum)
        header += bytes(fileLength ?? indexOffset + UInt64(index.count)) + bytes(reserved)
        header += [UInt8](repeating: 0, count: 4088 - header.count)
        return header + bytes(header.withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) })
    }

    private func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
}
