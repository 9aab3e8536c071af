import TestSupport
import Testing

@testable import KVM

/// A ring that a simulated kernel fills, read by the reader that real ones have.
@Suite("Reading a dirty ring") struct DirtyRingTests {
    private static let entryCount = 64

    @Test("An empty ring has nothing, however often it is asked")
    func empty() throws {
        let kernel = try SimulatedRing(entryCount: Self.entryCount)
        var ring = kernel.reader()
        for _ in 0..<3 {
            let (batch, pages) = ring.takeAll()
            #expect(pages.isEmpty && batch == DirtyRing.Batch())
            #expect(kernel.reset() == 0)
        }
    }

    @Test("Pages come once, in the order in which they were written, with their slots")
    func order() throws {
        let kernel = try SimulatedRing(entryCount: Self.entryCount)
        var ring = kernel.reader()
        let written = [(3, 7), (0, 7), (0, 2), (9, .max)].map { TakenPage(slot: $0.0, page: $0.1) }
        for page in written { kernel.push(page.page, slot: page.slot) }
        let (batch, pages) = ring.takeAll()
        #expect(pages == written)
        #expect(batch == DirtyRing.Batch(pageCount: 4, entryCount: 4, isComplete: true))
        let again = ring.takeAll().pages
        #expect(again.isEmpty, "taken before the kernel has reset them")
        #expect(kernel.reset() == 4 && kernel.used == 0)
        let afterwards = ring.takeAll().pages
        #expect(afterwards.isEmpty)
    }

    @Test("Only the lower half of a slot's number counts: the upper one is the address space")
    func addressSpace() throws {
        let kernel = try SimulatedRing(entryCount: Self.entryCount)
        var ring = kernel.reader()
        kernel.push(5, slot: 1 << 16 | 3)
        kernel.push(6, slot: 0xffff_0004)
        let pages = ring.takeAll().pages
        #expect(pages == [TakenPage(slot: 3, page: 5), TakenPage(slot: 4, page: 6)])
    }

    @Test("Over many laps, with resets early or late, each page comes once and in order", arguments: [1, 2, 3])
    func laps(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let kernel = try SimulatedRing(entryCount: Self.entryCount)
        var ring = kernel.reader()
        var next: UInt64 = 0
        var expected: UInt64 = 0
        var unreset = 0
        while expected < 50 * UInt64(Self.entryCount) {
            // The kernel stops a vCPU before the ring is full.
            let room = Self.entryCount - 1 - kernel.used
            for _ in 0..<Int.random(in: 0...room, using: &random) {
                kernel.push(next, slot: UInt32(next % 5))
                next += 1
            }
            let (batch, pages) = ring.takeAll()
            #expect(pages == (expected..<next).map { TakenPage(slot: UInt32($0 % 5), page: $0) })
            #expect(batch == DirtyRing.Batch(pageCount: pages.count, entryCount: pages.count, isComplete: true))
            expected = next
            unreset += batch.entryCount
            if Bool.random(using: &random) || kernel.used == Self.entryCount - 1 {
                #expect(kernel.reset() == unreset && kernel.used == 0)
                unreset = 0
            }
        }
    }

    @Test("A ring filled to its soft limit is complete, one filled to the last entry may have run over")
    func limits() throws {
        for (count, isComplete) in [(Self.entryCount - 1, true), (Self.entryCount, false)] {
            let kernel = try SimulatedRing(entryCount: Self.entryCount)
            var ring = kernel.reader()
            for page in 0..<count { kernel.push(UInt64(page)) }
            let (batch, pages) = ring.takeAll()
            #expect(pages.map(\.page) == (0..<UInt64(count)).map { $0 })
            #expect(batch == DirtyRing.Batch(pageCount: count, entryCount: count, isComplete: isComplete))
            #expect(kernel.reset() == count && kernel.used == 0)
        }
    }

    @Test(
        "After a ring has run over, the reader finds the kernel again, and has every entry reset",
        arguments: [1, 2, 17, entryCount - 1])
    func resynchronisation(_ excess: Int) throws {
        let kernel = try SimulatedRing(entryCount: Self.entryCount)
        var ring = kernel.reader()
        let count = Self.entryCount + excess
        for page in 0..<count { kernel.push(UInt64(page)) }
        let (batch, pages) = ring.takeAll()
        #expect(!batch.isComplete && batch.entryCount == Self.entryCount)
        #expect(Set(pages.map(\.page)) == Set((UInt64(excess)..<UInt64(count))))
        #expect(kernel.reset() == Self.entryCount && kernel.used == excess)
        // The kernel is ahead now: what it passed over is given back as soon as it goes on after it.
        let nothing = ring.takeAll()
        #expect(nothing.pages.isEmpty && nothing.batch == DirtyRing.Batch())
        var next: UInt64 = 1000
        for _ in 0..<10 {
            // With the lag, no more than there are entries.
            let more = min(9, Self.entryCount - kernel.used)
            for page in next..<next + UInt64(more) { kernel.push(page) }
            let (batch, pages) = ring.takeAll()
            #expect(pages.map(\.page) == (next..<next + UInt64(more)).map { $0 })
            #expect(batch.isComplete && kernel.reset() == batch.entryCount && kernel.used == 0)
            next += UInt64(more)
        }
    }

    @Test(
        "Whatever runs over, a batch that says it is complete has all that was written",
        arguments: [1, 2, .random(in: 3...(.max))] as [UInt64])
    func overflowModel(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let entryCount = 16
        let kernel = try SimulatedRing(entryCount: entryCount)
        var ring = kernel.reader()
        var next: UInt64 = 0
        var incomplete = 0
        for _ in 0..<20_000 {
            let first = next
            // Now and then more than there is room for, but never so many that the kernel would be a whole lap ahead.
            let limit = 2 * entryCount - 1 - kernel.used
            let isBurst = Int.random(in: 0..<8, using: &random) == 0
            for _ in 0..<Int.random(in: 0...(isBurst ? limit : min(limit, entryCount / 2)), using: &random) {
                kernel.push(next)
                next += 1
            }
            let (batch, pages) = ring.takeAll()
            let written = Set(first..<next)
            #expect(Set(pages.map(\.page)).isSubset(of: written) && Set(pages).count == pages.count, "seed \(seed)")
            if batch.isComplete { #expect(pages.count == written.count, "seed \(seed)") } else { incomplete += 1 }
            #expect(kernel.reset() == batch.entryCount && kernel.used < entryCount, "seed \(seed)")
        }
        #expect(incomplete > 100)
    }
}
