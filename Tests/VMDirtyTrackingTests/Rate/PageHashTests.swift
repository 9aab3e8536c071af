import TestSupport
import Testing

@testable import VMDirtyTracking

@Suite struct PageHashTests {
    private func hash(_ page: [UInt8]) -> UInt64 {
        page.withUnsafeBytes { PageHash.hash($0) }
    }

    @Test func `each bit of a page counts`() {
        var random = SeededGenerator(seed: 1)
        for content in [[UInt8](repeating: 0, count: 4096), [UInt8](repeating: 0xff, count: 4096), random.page()] {
            let before = hash(content)
            var page = content
            for index in page.indices {
                let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
                page[index] ^= bit
                #expect(hash(page) != before, "byte \(index)")
                page[index] ^= bit
            }
            #expect(hash(page) == before)
        }
    }

    @Test func `different pages have different hashes`() {
        var random = SeededGenerator(seed: 2)
        var hashes: Set<UInt64> = []
        for value in 0...UInt8.max { hashes.insert(hash([UInt8](repeating: value, count: 4096))) }
        for _ in 0..<500 { hashes.insert(hash(random.page())) }
        #expect(hashes.count == 756)
    }

    @Test func `pages whose words changed places have different hashes`() {
        var random = SeededGenerator(seed: 3)
        let page = random.page()
        var hashes: Set<UInt64> = [hash(page)]
        for first in stride(from: 0, to: 512, by: 37) {
            for second in stride(from: first + 1, to: 512, by: 61) {
                var changed = page
                for byte in 0..<8 { changed.swapAt(first * 8 + byte, second * 8 + byte) }
                #expect(hashes.insert(hash(changed)).inserted, "words \(first) and \(second)")
            }
        }
    }

    @Test func `a change of a bit changes about half the bits of the hash`() {
        var random = SeededGenerator(seed: 4)
        var page = random.page()
        let before = hash(page)
        var total = 0
        for index in page.indices {
            page[index] ^= 1
            total += (hash(page) ^ before).nonzeroBitCount
            page[index] ^= 1
        }
        #expect(28...36 ~= Double(total) / 4096)
    }
}

extension SeededGenerator {
    fileprivate mutating func page() -> [UInt8] {
        (0..<4096).map { _ in UInt8.random(in: 0...UInt8.max, using: &self) }
    }
}
