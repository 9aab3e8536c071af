import BenchmarkSupport
import CMemoryBaseline
import VMAddressSpace
import VMDirtyBitmap
import VMDirtyTracking

extension MemoryCase {
    /// Going through the runs of pages that a harvest has found, of large guests.
    static func dirtyRuns() -> [MemoryCase] {
        [
            runs("dirty.runs.64GiB.10pct", of: 64 << 30, .nanoseconds(12e6)) { words in
                var random = Xorshift(seed: 1077)
                for index in words.indices {
                    for bit in 0..<64 where random.next() % 10 == 0 { words[index] |= 1 << UInt64(bit) }
                }
            },
            runs("dirty.runs.512GiB.full", of: 512 << 30, .nanoseconds(4.6e6)) { words in
                for index in words.indices { words[index] = ~0 }
            },
            clean("dirty.clean.16GiB", of: 16 << 30, samples: 501, .nanoseconds(1000)),
            clean("dirty.empty.12TB", of: 12 << 40, samples: 21, .nanoseconds(1e6)),
        ]
    }

    /// - Parameter fill: says which pages are dirty.
    private static func runs(
        _ name: String, of byteCount: UInt64, _ goal: Goal, fill: @escaping (inout [UInt64]) -> Void
    ) -> MemoryCase {
        MemoryCase(name, goal: goal) {
            var words = [UInt64](repeating: 0, count: Int(byteCount / Bitmaps.page / 64))
            fill(&words)
            let round = FoundPages(
                DirtyRound(words, of: try MemoryRange(start: GuestAddress(0), count: byteCount)))
            return try words.withUnsafeBufferPointer { words in
                let expected = baseline_word_runs(words.baseAddress, words.count)
                return try PreparedRuns.compare(
                    samples: 101, ours: PreparedRun(prepare: {}, run: { try require(expected, round.findRuns()) }),
                    baseline: PreparedRun(
                        prepare: {}, run: { try require(expected, baseline_word_runs(words.baseAddress, words.count)) })
                )
            }
        }
    }

    /// Of a bitmap with nothing in it. The baseline's words have no summary.
    private static func clean(_ name: String, of byteCount: UInt64, samples: Int, _ goal: Goal) -> MemoryCase {
        MemoryCase(name, goal: goal) {
            let bitmap = try AtomicBitmap(byteCount: byteCount)
            // All of its own memory is there from here on.
            bitmap.markDirty(offset: 0, count: byteCount)
            bitmap.clear()
            let words = [UInt64](repeating: 0, count: Int(byteCount / Bitmaps.page / 64))
            return try words.withUnsafeBufferPointer { words in
                try PreparedRuns.compare(
                    samples: samples,
                    ours: PreparedRun(prepare: {}, run: { try require(baseline_found(), findRuns(bitmap)) }),
                    baseline: PreparedRun(
                        prepare: {},
                        run: { try require(baseline_found(), baseline_word_runs(words.baseAddress, words.count)) }))
            }
        }
    }

    private static func require(_ expected: baseline_found, _ found: baseline_found) throws {
        guard found.runs == expected.runs, found.pages == expected.pages else {
            throw BenchmarkError("\(found.runs) runs of \(found.pages) pages, instead of \(expected)")
        }
    }
}

/// A round, for closures to share.
private final class FoundPages {
    private let round: DirtyRound

    init(_ round: consuming DirtyRound) {
        self.round = round
    }

    @inline(never)
    func findRuns() -> baseline_found {
        var found = baseline_found()
        round.forEachRun { run in
            found.runs &+= 1
            found.pages &+= run.pageCount
        }
        return found
    }
}

@inline(never)
private func findRuns(_ bitmap: AtomicBitmap) -> baseline_found {
    var found = baseline_found()
    for run in bitmap.dirtyRuns() {
        found.runs &+= 1
        found.pages &+= run.upperBound &- run.lowerBound
    }
    return found
}
