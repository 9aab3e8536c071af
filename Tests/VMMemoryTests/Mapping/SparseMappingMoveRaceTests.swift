import Glibc
import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Moving pages while other threads are at work", .timeLimit(.minutes(10)))
struct SparseMappingMoveRaceTests {
    /// Two reservations, the first with `pages` pages of anonymous memory whose first word is 1 more than their number.
    private func makePair(pages: Int) throws -> (SparseMapping, SparseMapping) {
        // Its handlers make an error of each fault.
        _ = GuestMemory(GuestMemoryAtomic(RegionMap()))
        let pair = (try SparseMapping(byteCount: 64 * page), try SparseMapping(byteCount: 64 * page))
        try pair.0.map(offset: 0, count: UInt64(pages) * page, .anonymous)
        for number in 0..<pages {
            pair.0.baseAddress.storeBytes(of: UInt64(number) + 1, toByteOffset: number * 4096, as: UInt64.self)
        }
        return pair
    }

    @Test("A reader finds a page's contents, or none, at either place")
    func readers() throws {
        let (first, second) = try makePair(pages: 16)
        let isDone = SharedNumber()
        let (found, wrong) = (SharedNumber(), SharedNumber())
        let readers = [first, second].map { mapping in
            { @Sendable in
                var number = 0
                while isDone.value == 0 {
                    number = (number + 1) % 16
                    let result = TryCopy.load(mapping.baseAddress + number * 4096, size: 8)
                    guard result.signal == 0 else { continue }
                    found.add(1)
                    if result.value != UInt64(number) + 1 { wrong.add(1) }
                }
            }
        }
        let refused = SharedNumber()
        TestThread.runTogether(
            readers + [
                {
                    for _ in 0..<500 {
                        let error = refusal {
                            try first.move(offset: 0, count: 16 * page, to: second, at: 0)
                            try second.move(offset: 0, count: 16 * page, to: first, at: 0, protection: .readOnly)
                        }
                        if error != nil { refused.add(1) }
                    }
                    isDone.value = 1
                }
            ])
        #expect(wrong.value == 0 && refused.value == 0)
        #expect(found.value > 0)
    }

    @Test("No write is lost that went well")
    func writers() throws {
        let (first, second) = try makePair(pages: 4)
        let isDone = SharedNumber()
        let written = SharedNumber()
        let writer = { @Sendable in
            while isDone.value == 0 {
                for mapping in [first, second] {
                    let result = TryCopy.load(mapping.baseAddress, size: 8)
                    guard result.signal == 0 else { continue }
                    let expected = result.value
                    let exchange = TryCopy.compareExchange(
                        mapping.baseAddress, size: 8, expected: expected, desired: expected + 1)
                    if exchange.signal == 0, exchange.value == expected { written.add(1) }
                }
            }
        }
        let refused = SharedNumber()
        TestThread.runTogether([
            writer, writer,
            {
                for _ in 0..<1000 {
                    let error = refusal {
                        try first.move(offset: 0, count: 4 * page, to: second, at: 0)
                        try second.move(offset: 0, count: 4 * page, to: first, at: 0)
                    }
                    if error != nil { refused.add(1) }
                }
                isDone.value = 1
            },
        ])
        #expect(refused.value == 0)
        #expect(first.baseAddress.load(as: UInt64.self) == written.value + 1)
    }

    @Test("No thread's mmap is given an address of a reservation that pages are moved to or from")
    func noHoles() throws {
        let (first, second) = try makePair(pages: 8)
        let ranges = [first, second].map {
            UInt(bitPattern: $0.baseAddress)..<UInt(bitPattern: $0.baseAddress) + UInt(64 * page)
        }
        let (intrusions, refused, isDone) = (SharedNumber(), SharedNumber(), SharedNumber())
        TestThread.runTogether([
            {
                for _ in 0..<2000 {
                    let error = refusal {
                        try first.move(offset: 0, count: 8 * page, to: second, at: 16 * page)
                        try second.move(offset: 16 * page, count: 8 * page, to: first, at: 0)
                    }
                    if error != nil { refused.add(1) }
                }
                isDone.value = 1
            },
            {
                while isDone.value == 0 {
                    guard let base = mmap(nil, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
                    else { continue }
                    if ranges.contains(where: { $0.contains(UInt(bitPattern: base)) }) { intrusions.add(1) }
                    munmap(base, 4096)
                }
            },
        ])
        #expect(intrusions.value == 0 && refused.value == 0)
    }

    @Test("Moves in opposite directions do not wait for each other for ever")
    func opposite() throws {
        let (first, second) = try makePair(pages: 4)
        try second.map(offset: 32 * page, count: 4 * page, .anonymous)
        let refused = SharedNumber()
        let movers = [(first, second, 0 as UInt64), (second, first, 32 * page)].map { (source, target, offset) in
            { @Sendable in
                for _ in 0..<2000 {
                    let error = refusal {
                        try source.move(offset: offset, count: 4 * page, to: target, at: offset)
                        try target.move(offset: offset, count: 4 * page, to: source, at: offset)
                    }
                    if error != nil { refused.add(1) }
                }
            }
        }
        TestThread.runTogether(movers)
        #expect(refused.value == 0)
        #expect(first.pieces.map(\.range) == [0..<4 * page] && second.pieces.map(\.range) == [32 * page..<36 * page])
        #expect(first.baseAddress.load(fromByteOffset: 3 * 4096, as: UInt64.self) == 4)
    }

    @Test("Pages that are found mapped under a lock are not moved before they are unlocked")
    func locks() throws {
        let (first, second) = try makePair(pages: 4)
        let (used, moved, isDone) = (SharedNumber(), SharedNumber(), SharedNumber())
        let user = { @Sendable in
            while isDone.value == 0 {
                for mapping in [first, second] {
                    guard refusal(of: { try mapping.lock(offset: 0, count: page) }) == nil else { return }
                    if mapping.pieces.first?.range.lowerBound == 0 {
                        // Were it moved now, this would end the process.
                        for _ in 0..<100 { mapping.baseAddress.storeBytes(of: 1, toByteOffset: 64, as: UInt8.self) }
                        used.add(1)
                    }
                    guard refusal(of: { try mapping.unlock(offset: 0, count: page) }) == nil else { return }
                    usleep(20)
                }
            }
        }
        let mover = { @Sendable in
            let deadline = ContinuousClock.now + .seconds(60)
            while used.value < 200 || moved.value < 200, ContinuousClock.now < deadline {
                for (source, target) in [(first, second), (second, first)] {
                    while ContinuousClock.now < deadline {
                        let error = refusal {
                            try source.move(
                                offset: 0, count: 4 * page, to: target, at: 0, waitingUpTo: .milliseconds(5))
                        }
                        if error == nil { break }
                    }
                    moved.add(1)
                }
            }
            isDone.value = 1
        }
        TestThread.runTogether([user, mover])
        #expect(used.value >= 200 && moved.value >= 200)
    }
}
