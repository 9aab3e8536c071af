import Glibc
import VMMigration

/// Blocks of memory in ordinary buffers, with guard pages around that nobody is to write.
final class SampleMemory {
    static let pageByteCount = 4096
    private static let guardByte: UInt8 = 0xa5

    let blocks: [RAMBlock]
    private let buffers: [UnsafeMutableRawBufferPointer]

    init(_ blocks: [RAMBlock]) {
        self.blocks = blocks
        buffers = blocks.map { block in
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Int(block.byteCount) + 2 * Self.pageByteCount, alignment: Self.pageByteCount)
            Self.fill(buffer, with: Self.guardByte)
            Self.fill(Self.pages(in: buffer), with: 0)
            return buffer
        }
    }

    deinit {
        for buffer in buffers { buffer.deallocate() }
    }

    /// The pages of a block.
    func pages(of block: Int) -> UnsafeMutableRawBufferPointer {
        Self.pages(in: buffers[block])
    }

    func bytes(of run: PageRun) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            rebasing: pages(of: run.block)[Int(run.bytes.lowerBound)..<Int(run.bytes.upperBound)])
    }

    func fill(_ block: Int, page: UInt64, with byte: UInt8) {
        Self.fill(bytes(of: PageRun(block: block, pages: page..<(page + 1))), with: byte)
    }

    /// Puts the pages of a chunk in their place.
    func place(_ chunk: MemoryChunk) {
        chunk.forEachRun { run, bytes in
            if let bytes {
                self.bytes(of: run).copyMemory(from: bytes)
            } else {
                Self.fill(self.bytes(of: run), with: 0)
            }
        }
    }

    private static func fill(_ bytes: UnsafeMutableRawBufferPointer, with byte: UInt8) {
        if let start = bytes.baseAddress { memset(start, Int32(byte), bytes.count) }
    }

    private static func pages(in buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: buffer.dropFirst(pageByteCount).dropLast(pageByteCount))
    }

    /// Whether the guard pages are as they were.
    var isGuardIntact: Bool {
        buffers.allSatisfy { buffer in
            buffer.prefix(Self.pageByteCount).allSatisfy { $0 == Self.guardByte }
                && buffer.suffix(Self.pageByteCount).allSatisfy { $0 == Self.guardByte }
        }
    }

    func hasSamePages(as other: SampleMemory) -> Bool {
        blocks == other.blocks && blocks.indices.allSatisfy { pages(of: $0).elementsEqual(other.pages(of: $0)) }
    }
}
