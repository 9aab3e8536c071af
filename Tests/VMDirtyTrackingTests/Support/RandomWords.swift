import TestSupport

/// Words as dirty logs have them: empty or full for long stretches, and in between, all sorts of bits.
enum RandomWords {
    static func words(_ count: Int, using random: inout SeededGenerator) -> [UInt64] {
        var words: [UInt64] = []
        while words.count < count {
            let length = Int.random(in: 1...12, using: &random)
            let kind = Int.random(in: 0..<5, using: &random)
            for _ in 0..<min(length, count - words.count) {
                let word: UInt64 =
                    switch kind {
                    case 0: 0
                    case 1: ~0
                    case 2: 1 << UInt64.random(in: 0..<64, using: &random)
                    case 3: ~0 << UInt64.random(in: 0..<64, using: &random)
                    default: .random(in: 0...(.max), using: &random)
                    }
                words.append(word)
            }
        }
        return words
    }
}
