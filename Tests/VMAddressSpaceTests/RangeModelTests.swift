import TestSupport
import Testing
import VMAddressSpace

/// The algebra against the plainest model there is: for each of some pages, whether it is in a set.
@Suite struct RangeModelTests {
    private static let seeds: Range<UInt64> = 0..<400
    private static let pageCount: UInt64 = 40

    /// The pages under test: at either end of the address space, or across the middle, by the seed.
    private struct Window {
        let base: UInt64

        init(seed: UInt64) {
            base = [0, GuestAddress.frameCount - pageCount, GuestAddress.frameCount / 2 - 20][Int(seed % 3)]
        }

        /// Page frames as the fewest ranges.
        func ranges(_ frames: Set<UInt64>) -> [Range<UInt64>] {
            var ranges: [Range<UInt64>] = []
            for page in frames.sorted() {
                if let end = ranges.last?.upperBound, end == page {
                    ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<(page + 1)
                } else {
                    ranges.append(page..<(page + 1))
                }
            }
            return ranges
        }

        func range(using generator: inout SeededGenerator) -> MemoryRange {
            let bounds = [
                base + .random(in: 0..<pageCount, using: &generator),
                base + .random(in: 0..<pageCount, using: &generator),
            ]
            return pages(bounds.min()!..<(bounds.max()! + 1))
        }

        /// Sorted by start; they may overlap.
        func ascending(using generator: inout SeededGenerator) -> [MemoryRange] {
            (0..<Int.random(in: 0...5, using: &generator)).map { _ in range(using: &generator) }.sorted()
        }

        /// Sorted and disjoint, at times adjoining.
        func disjoint(using generator: inout SeededGenerator) -> [MemoryRange] {
            var ranges: [MemoryRange] = []
            var next = base
            while true {
                let start = next + .random(in: 0...4, using: &generator)
                let end = start + .random(in: 1...8, using: &generator)
                guard end <= base + pageCount else { return ranges }
                ranges.append(pages(start..<end))
                next = end
            }
        }
    }

    private func set(_ ranges: some Sequence<MemoryRange>) -> Set<UInt64> {
        Set(ranges.flatMap { Array($0.frames) })
    }

    private func forEachSeed(_ body: (UInt64, Window, inout SeededGenerator) -> Void) {
        for seed in Self.seeds {
            var generator = SeededGenerator(seed: seed)
            body(seed, Window(seed: seed), &generator)
        }
    }

    @Test func `two ranges relate as their pages do`() {
        forEachSeed { seed, window, generator in
            let left = window.range(using: &generator)
            let right = window.range(using: &generator)
            let both = set([left]).intersection(set([right]))
            #expect(left.overlaps(right) == !both.isEmpty, "seed \(seed)")
            #expect(left.contains(right) == set([left]).isSuperset(of: set([right])), "seed \(seed)")
            #expect(set([left.intersection(right)].compactMap(\.self)) == both, "seed \(seed)")
            let rest = left.subtracting(right)
            let pieces: [MemoryRange] = [rest.below, rest.above].compactMap(\.self)
            #expect(pieces.map(\.frames) == window.ranges(set([left]).subtracting(set([right]))), "seed \(seed)")
        }
    }

    @Test func `merging keeps every page and leaves the fewest ranges`() {
        forEachSeed { seed, window, generator in
            let ranges = window.ascending(using: &generator)
            #expect(ranges.merged().map(\.frames) == window.ranges(set(ranges)), "seed \(seed): \(ranges)")
        }
    }

    @Test func `the gaps are the pages in no range`() {
        forEachSeed { seed, window, generator in
            let bound = window.range(using: &generator)
            let ranges = window.ascending(using: &generator)
            let gaps = window.ranges(set([bound]).subtracting(set(ranges)))
            #expect(bound.subtracting(ranges).map(\.frames) == gaps, "seed \(seed): \(bound) without \(ranges)")
        }
    }

    @Test func `splitting and chunks keep every page once, and cut where they should`() {
        forEachSeed { seed, window, generator in
            let range = window.range(using: &generator)
            let stride = UInt64.random(in: 1...9, using: &generator)
            let chunks = Array(range.chunks(of: stride * 0x1000))
            #expect(chunks.flatMap { Array($0.frames) } == Array(range.frames), "seed \(seed): \(range) by \(stride)")
            let cuts = range.frames.dropFirst().filter { $0.isMultiple(of: stride) }
            #expect(chunks.dropFirst().map(\.start.frame) == cuts, "seed \(seed): \(range) by \(stride)")

            let frame = window.base + .random(in: 0..<Self.pageCount, using: &generator)
            let parts = range.split(at: GuestAddress(frame: frame)!)
            #expect((parts != nil) == range.frames.dropFirst().contains(frame), "seed \(seed): \(range) at \(frame)")
            if let parts {
                #expect(parts.below.frames == range.start.frame..<frame, "seed \(seed)")
                #expect(parts.above.frames == frame..<range.frames.upperBound, "seed \(seed)")
            }
        }
    }

    @Test func `a walk says of every page what it is in`() {
        forEachSeed { seed, window, generator in
            let left = window.disjoint(using: &generator)
            let right = window.disjoint(using: &generator)
            var expected: [UInt64: [MemoryRange?]] = [:]
            for frame in window.base..<(window.base + Self.pageCount) {
                let around = [left, right].map { side in side.first { $0.frames.contains(frame) } }
                if around != [nil, nil] { expected[frame] = around }
            }
            var seen: [UInt64: [MemoryRange?]] = [:]
            for piece in RangeWalk(left, right) {
                let around: [MemoryRange?] =
                    switch piece.coverage {
                    case .left(let left): [left, nil]
                    case .right(let right): [nil, right]
                    case .both(let left, let right): [left, right]
                    }
                for frame in piece.range.frames {
                    #expect(seen.updateValue(around, forKey: frame) == nil, "seed \(seed): frame \(frame) twice")
                }
            }
            #expect(seen == expected, "seed \(seed): \(left) beside \(right)")
            let starts = RangeWalk(left, right).map(\.range.start)
            #expect(starts == starts.sorted(), "seed \(seed)")
            // As few pieces as can be: one ends only where an element does or begins.
            let bounds = Set((left + right).flatMap { [$0.frames.lowerBound, $0.frames.upperBound] })
            #expect(starts.allSatisfy { bounds.contains($0.frame) }, "seed \(seed): \(left) beside \(right)")
        }
    }

    @Test func `aligned sub-ranges and enclosing ranges are those of the pages`() {
        forEachSeed { seed, window, generator in
            let offsets = [
                UInt64.random(in: 0..<0x5000, using: &generator), .random(in: 0..<0x5000, using: &generator),
            ]
            let start = window.base << 12 + offsets.min()!
            let last = window.base << 12 + offsets.max()!
            let all = (window.base..<(window.base + 5)).map { pages($0..<($0 + 1)) }
            let range = bytes(start, through: last)
            let whole = window.ranges(set(all.filter { $0.start.rawValue >= start && $0.last.rawValue <= last }))
            #expect(
                range.largestSubrange(alignedTo: .size4K).map { [$0.frames] } ?? [] == whole, "seed \(seed): \(range)")
            let touched = window.ranges(set(all.filter { $0.last.rawValue >= start && $0.start.rawValue <= last }))
            #expect([range.enclosingRange(alignedTo: .size4K).frames] == touched, "seed \(seed): \(range)")
        }
    }
}
