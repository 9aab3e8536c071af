import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

@Suite("A region manager with many users")
struct ConcurrencyTests {
    @Test("Requests of tasks and threads happen one after the other")
    func requests() async throws {
        let guest = try TestGuest()
        let (manager, count) = (guest.manager, 8)
        let ram = try RegionBacking(memfd: "ram", byteCount: bytes(64))
        /// Regions that come, move and go, at places that other users have as well.
        @Sendable func use(_ index: Int) async throws {
            let frame = UInt64(16 + index % 4 * 2)
            let region = try await manager.addRegion("task \(index)", pages(frame..<frame + 4), priority: UInt8(index))
            try await region.addMapping(of: ram, backingOffset: bytes(UInt64(index) * 4), count: bytes(4))
            try await region.map()
            try await region.move(to: GuestAddress(bytes(frame + 1)))
            if index % 3 == 0 { try await region.unmap() }
            if index % 2 == 0 { try await region.teardown() }
        }
        let failure = Monitor<String?>(nil)
        @Sendable func useInTurn(_ index: Int) {
            let frame = UInt64(16 + index % 4 * 2)
            do throws(RegionManagerError) {
                for _ in 0..<20 {
                    let region = try manager.withTurn { manager throws(RegionManagerError) in
                        try manager.addRegion("thread \(index)", pages(frame..<frame + 3), priority: UInt8(index))
                    }
                    var update = RegionUpdate()
                    update.addMapping(
                        to: region, of: ram, backingOffset: bytes(UInt64(32 + index * 4)), count: bytes(3))
                    update.map(region)
                    let made = update
                    try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(made) }
                }
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
        }
        let threads = SharedNumber()
        for index in 0..<4 {
            let thread = try HostThread.start(stackSize: 512 << 10) {
                useInTurn(index)
                threads.add(1)
            }
            pthread_detach(thread)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<count { group.addTask { for _ in 0..<10 { try await use(index) } } }
            try await group.waitForAll()
        }
        let deadline = Deadline(.seconds(300))
        while threads.value < 4, !deadline.hasPassed { await Task.yield() }
        #expect(threads.value == 4)
        #expect(failure.withLock(\.self) == nil)
        // Handles that were dropped are before this in the queue.
        #expect(await manager.inspect().regions.isEmpty)
        #expect(try guest.complaints() == [])
    }

    @Test("A turn within a turn makes its changes at once")
    func nestedTurns() throws {
        let guest = try TestGuest()
        let manager = guest.manager
        let names = try manager.withTurn { outer throws(RegionManagerError) in
            let first = try manager.withTurn { inner throws(RegionManagerError) in
                try inner.addRegion("first", pages(16..<20))
            }
            let second = try outer.addRegion("second", pages(20..<24))
            return [first, second].compactMap { outer.planning.planner.region($0.id)?.name }
        }
        #expect(names == ["first", "second"])
    }

    @Test("Readers see the memory before a change or after it, or none, while hundreds are made")
    func readers() throws {
        let guest = try TestGuest()
        let names = ["one", "two", "three"]
        let kinds: [BackingKind] = [.anonymous, .memfd, .copyOnWrite]
        for (index, name) in names.enumerated() {
            let backing = try guest.backing(kinds[index], name, pages: 16)
            try guest.add(name, 16..<32, priority: UInt8(index), of: backing, index == 0 ? MapParameters() : nil)
        }
        let (memory, isDone, reads) = (guest.manager.memory, SharedNumber(), SharedNumber())
        let expected = Set(names.flatMap { name in (0..<16).map { originalContents(of: name, $0) } })
        let reader: @Sendable (UInt64) throws -> Void = { seed in
            var random = SeededGenerator(seed: seed)
            while isDone.value == 0 {
                let address = GuestAddress(bytes(UInt64.random(in: 8..<48, using: &random)))
                for word in try Self.words(memory, at: address) where !expected.contains(word) {
                    throw UnexpectedWord(word: word)
                }
                reads.add(1)
            }
        }
        let threads = Monitor(0)
        let failure = Monitor<(any Error)?>(nil)
        for seed in 0..<2 as Range<UInt64> {
            pthread_detach(
                try HostThread.start(stackSize: 512 << 10) {
                    do { try reader(seed) } catch { failure.withLock { $0 = error } }
                    threads.change { $0 += 1 }
                })
        }
        defer {
            isDone.value = 1
            threads.wait { $0 == 2 ? () : nil }
        }
        var random = SeededGenerator(seed: 5)
        for _ in 0..<400 {
            let region = guest[names[Int.random(in: 0..<3, using: &random)]]
            guard let error = guest.failure(of: Self.randomChange(of: region, &random)) else { continue }
            // Readers lock pages for a moment.
            guard case .failed(let failure) = error, failure.operation == .withdraw || "\(failure)".contains("locked")
            else { throw error }
        }
        let deadline = Deadline(.seconds(10))
        while reads.value < 100, !deadline.hasPassed { sched_yield() }
        #expect(reads.value >= 100)
        #expect(failure.withLock { $0.map { "\($0)" } } == nil)
        #expect(try guest.complaints() == [])
    }

    /// What is read at an address, by an access and by the host address; nothing where there is no memory.
    private static func words(_ memory: GuestMemory, at address: GuestAddress) throws -> [UInt64] {
        var words: [UInt64] = []
        do throws(GuestMemoryError) {
            words.append(try memory.load(address))
            let lock = try memory.lock(address, count: 8, for: .reading)
            lock.forEachPiece { piece in words.append(piece.withUnsafeMutableBytes { $0.load(as: UInt64.self) }) }
        } catch {
            switch error.kind {
            case .notMapped, .backing(.notMapped): break
            default: throw error
            }
        }
        return words
    }

    private static func randomChange(of region: RegionHandle, _ random: inout SeededGenerator) -> RegionUpdate {
        var update = RegionUpdate()
        switch Int.random(in: 0..<4, using: &random) {
        case 0: update.unmap(region)
        case 1: update.map(region, MapParameters(isWritable: false))
        case 2: update.map(region)
        default: update.move(region, to: GuestAddress(bytes(UInt64.random(in: 10..<30, using: &random))))
        }
        return update
    }

    private struct UnexpectedWord: Error {
        let word: UInt64
    }

    @Test("Hundreds of regions that come and go leave no descriptor, mapping or memory behind")
    func leaks() throws {
        let guest = try TestGuest()
        let rom = try guest.backing(.readOnlyFile, "rom", pages: 4)
        let name = "comes and goes"
        weak var last: RegionBacking?
        func cycle(_ index: Int) throws {
            let backing = try BackingKind.writable[index % 3].make(name, pages: 16)
            try guest.add("ram", 16..<32, of: backing)
            try guest.fill(17, with: 9)
            try guest.add("rom", 20..<24, priority: 1, of: rom)
            try guest.apply { $0.move(guest["ram"], to: GuestAddress(bytes(22))) }
            try guest.apply { $0.unmap(guest["rom"]) }
            guest.drop("rom")
            guest.drop("ram")
            guest.log.start()
            // Handles that were dropped are before this in the queue.
            try guest.apply(RegionUpdate())
            last = backing
        }
        for index in 0..<30 { try cycle(index) }
        let before = try Self.mappings(guest)
        for index in 0..<300 {
            try cycle(index)
            #expect(last == nil)
        }
        let after = try Self.mappings(guest)
        #expect(after == before)
        #expect(try Self.descriptors(named: name) == 0)
        let counts = try guest.inTurn { manager throws(RegionManagerError) in
            [
                manager.planning.backings.all.count, manager.planning.planner.unusedBackings.count,
                manager.planning.planner.regions.count,
            ]
        }
        #expect(counts == [0, 0, 0])
    }

    /// The mappings in the guest's reservation.
    private static func mappings(_ guest: TestGuest) throws -> [String] {
        let maps = String(decoding: try TemporaryFolder.contents(ofFile: "/proc/self/maps"), as: UTF8.self)
        let reservation = guest.manager.space.reservation
        let start = UInt(bitPattern: reservation.baseAddress)
        let range = start..<start + UInt(reservation.count)
        return maps.split(separator: "\n").map(String.init).filter { line in
            line.split(separator: "-").first.flatMap { UInt($0, radix: 16) }.map(range.contains) ?? false
        }
    }

    /// How many descriptors there are of memfds with a name.
    private static func descriptors(named name: String) throws -> Int {
        try TemporaryFolder.entries("/proc/self/fd").count { entry in
            var target = [UInt8](repeating: 0, count: 256)
            let length = target.withUnsafeMutableBytes { target in
                readlink("/proc/self/fd/\(entry)", target.baseAddress!, target.count)
            }
            return String(decoding: target.prefix(max(0, length)), as: UTF8.self).contains(name)
        }
    }
}
