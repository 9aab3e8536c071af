import BenchmarkSupport
import CMemoryBaseline
import VMDirtyBitmap

extension MemoryCase {
    /// Going through the runs of dirty pages of large guests. The baseline's are in words without a summary, which nobody else
    /// changes.
    static func dirtyRuns() -> [MemoryCase] {
        [
            runs("dirty.runs.64GiB.10pct", of: 64 << 30, samples: 51, .nanoseconds(12e6)) { words in
                var random = Xorshift(seed: 1077)
                for index in words.indices {
                    for bit in 0..<64 where random.next() % 10 == 0 { words[index] |= 1 << UInt64(bit) }
                }
            },
            runs("dirty.runs.512GiB.full", of: 512 << 30, samples: 51, .nanoseconds(4.6e6)) {
                $0.update(repeating: ~0)
            },
            runs("dirty.clean.16GiB", of: 16 << 30, samples: 501, .nanoseconds(1000)) { $0.update(repeating: 0) },
            runs("dirty.empty.12TB", of: 12 << 40, samples: 21, .nanoseconds(1e6)) { $0.update(repeating: 0) },
        ]
    }

    /// - Parameter fill: says which pages of a clean bitmap are dirty.
    private static func runs(
        _ name: String, of byteCount: UInt64, samples: Int, _ goal: Goal,
        fill: @escaping (UnsafeMutableBufferPointer<UInt64>) -> Void
    ) -> MemoryCase {
        MemoryCase(name, goal: goal) {
            let words = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: Int(byteCount / Bitmaps.page / 64))
            defer { words.deallocate() }
            words.initialize(repeating: 0)
            fill(words)
            let bitmap = try AtomicBitmap(byteCount: byteCount)
            // All of its own memory is there from here on.
            bitmap.markDirty(offset: 0, count: byteCount)
            bitmap.clear()
            bitmap.merge(words: words.span)
            let expected = baseline_word_runs(words.baseAddress, words.count)
            return try PreparedRuns.compare(
                samples: samples,
                ours: PreparedRun(prepare: {}, run: { try require(expected, findRuns(bitmap)) }),
                baseline: PreparedRun(
                    prepare: {}, run: { try require(expected, baseline_word_runs(words.baseAddress, words.count)) }))
        }
    }

    private static func require(_ expected: baseline_found, _ found: baseline_found) throws {
        guard found.runs == expected.runs, found.pages == expected.pages else {
            throw BenchmarkError("\(found.runs) runs of \(found.pages) pages, instead of \(expected)")
        }
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
