import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("The table of mapped pieces")
struct MappedPiecesTests {
    /// What one page of the model has: nothing, or a kind of memory and which page of it.
    private struct Page: Equatable {
        var isFile: Bool
        var number: UInt64
        var protection: MemoryProtection
    }

    @Test("It agrees with a table of single pages, and keeps no two pieces that are one", arguments: 0..<8)
    func model(seed: UInt64) throws {
        let size: UInt64 = 64
        let file = SharedMemoryFile(try MemoryFile(memfd: "model", byteCount: 4096))
        var random = SeededGenerator(seed: seed)
        var table = MappedPieces()
        var model = [Page?](repeating: nil, count: Int(size))
        func range() -> Range<UInt64> {
            let start = UInt64.random(in: 0..<size, using: &random)
            return start..<UInt64.random(in: start + 1...min(size, start + 24), using: &random)
        }
        func bytes(_ pages: Range<UInt64>) -> Range<UInt64> { pages.lowerBound * 4096..<pages.upperBound * 4096 }

        for _ in 0..<600 {
            let pages = range()
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                table.replace(bytes(pages), with: [])
                for page in pages { model[Int(page)] = nil }
            case 1:
                let protection: MemoryProtection = Bool.random(using: &random) ? .readOnly : .readWrite
                table.replace(bytes(pages), with: table.parts(in: bytes(pages)).map { $0.with(protection) })
                for page in pages { model[Int(page)]?.protection = protection }
            default:
                let isFile = Bool.random(using: &random)
                // Mostly where it is in the file, so that pieces meet again.
                let shift = isFile && Int.random(in: 0..<4, using: &random) == 0 ? 1 : 0 as UInt64
                let piece = MappedPiece(
                    range: bytes(pages), backing: isFile ? .file(file, .shared) : .anonymous,
                    backingOffset: isFile ? (pages.lowerBound + shift) * 4096 : 0, protection: .readWrite,
                    transparentHugePages: false)
                table.replace(bytes(pages), with: [piece])
                for page in pages {
                    model[Int(page)] = Page(
                        isFile: isFile, number: isFile ? page + shift : 0, protection: .readWrite)
                }
            }
            #expect(expanded(table.all, size) == model)
            #expect(zip(table.all, table.all.dropFirst()).allSatisfy { !$0.continues(in: $1) })
            let asked = range()
            let parts = expanded(table.parts(in: bytes(asked)), size)
            #expect(
                Array(parts[Int(asked.lowerBound)..<Int(asked.upperBound)])
                    == Array(model[Int(asked.lowerBound)..<Int(asked.upperBound)]))
            let gap = asked.first { model[Int($0)] == nil }.map { start in
                bytes(start..<((start..<asked.upperBound).first { model[Int($0)] != nil } ?? asked.upperBound))
            }
            #expect(table.firstGap(in: bytes(asked)) == gap)
        }
    }

    private func expanded(_ pieces: [MappedPiece], _ size: UInt64) -> [Page?] {
        var pages = [Page?](repeating: nil, count: Int(size))
        for piece in pieces {
            for (index, offset) in stride(from: piece.range.lowerBound, to: piece.range.upperBound, by: 4096)
                .enumerated()
            {
                let isFile = piece.backing != .anonymous
                let number = isFile ? piece.backingOffset / 4096 + UInt64(index) : 0
                #expect(pages[Int(offset / 4096)] == nil)
                pages[Int(offset / 4096)] = Page(isFile: isFile, number: number, protection: piece.protection)
            }
        }
        return pages
    }
}
