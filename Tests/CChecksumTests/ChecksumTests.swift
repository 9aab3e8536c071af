import CChecksum
import CXXHash
import TestSupport
import Testing

@Suite("Checksums")
struct ChecksumTests {
    @Test("They are those of the library, for all lengths and places")
    func same() {
        var generator = SeededGenerator(seed: 3)
        let bytes = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes.withUnsafeBytes { bytes in
            for count in Array(0...1100) + [4096, 4104, 65_536] {
                for start in [0, 1, 8] {
                    let part = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])
                    for seed: UInt64 in [0, 1, .max] {
                        #expect(
                            cchecksum_xxh3(part.baseAddress, count, seed)
                                == XXH3_64bits_withSeed(part.baseAddress, count, seed),
                            "\(count) bytes from \(start)")
                    }
                }
            }
        }
        #expect(cchecksum_xxh3(nil, 0, 7) == XXH3_64bits_withSeed(nil, 0, 7))
    }
}
