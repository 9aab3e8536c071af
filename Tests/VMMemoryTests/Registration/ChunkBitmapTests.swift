import TestSupport
import Testing

@testable import VMMemory

@Suite("The bitmap of chunks")
struct ChunkBitmapTests {
    @Test("A new one has no bit set, whatever its size", arguments: [1, 63, 64, 65, 1 << 21] as [UInt64])
    func empty(_ count: UInt64) throws {
        let bitmap = try makeBitmap(count)
        let found = bitmap.first(in: 0...UInt64.max)
        #expect(found == nil)
    }

    @Test("A host without so much memory is found out, not crashed on")
    func noMemory() {
        let isMade = ChunkBitmap(count: 1 << 60) != nil
        #expect(!isMade)
    }

    @Test("Bits past the end are ignored and clear")
    func pastEnd() throws {
        let bitmap = try makeBitmap(70)
        bitmap.fill(69...UInt64.max, with: true)
        bitmap.fill(70...80, with: true)
        bitmap.fill(UInt64.max...UInt64.max, with: true)
        let set = (0..<256).filter { bitmap.contains($0) }
        #expect(set == [69])
        let beyond = bitmap.contains(.max)
        #expect(!beyond)
        let (found, none) = (bitmap.first(in: 0...UInt64.max), bitmap.first(in: 70...UInt64.max))
        #expect(found == 69)
        #expect(none == nil)
    }

    @Test("Ranges of bits are set, cleared and found as in a list", arguments: 0..<10)
    func model(_ seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        let bitmap = try makeBitmap(300)
        var list = [Bool](repeating: false, count: 300)
        for _ in 0..<300 {
            let chunks = randomRange(&numbers)
            let value = Bool.random(using: &numbers)
            bitmap.fill(UInt64(chunks.lowerBound)...UInt64(chunks.upperBound), with: value)
            for chunk in chunks { list[chunk] = value }
            let contents = (0..<300).map { bitmap.contains(UInt64($0)) }
            #expect(contents == list)
            let searched = randomRange(&numbers)
            let found = bitmap.first(in: UInt64(searched.lowerBound)...UInt64(searched.upperBound))
            #expect(found == searched.first { list[$0] }.map { UInt64($0) })
        }
    }

    private func makeBitmap(_ count: UInt64) throws -> ChunkBitmap {
        struct NoMemory: Error {}
        guard let bitmap = ChunkBitmap(count: count) else { throw NoMemory() }
        return bitmap
    }

    private func randomRange(_ numbers: inout SeededGenerator) -> ClosedRange<Int> {
        let first = Int.random(in: 0..<300, using: &numbers)
        // Most are within a word, some span several.
        let length = Int.random(in: 0...1, using: &numbers) == 0 ? 3 : 200
        return first...min(first + Int.random(in: 0..<length, using: &numbers), 299)
    }
}
