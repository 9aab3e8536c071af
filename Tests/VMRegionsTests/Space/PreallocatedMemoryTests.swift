import SystemPackage
import TestSupport
import Testing
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

@Suite("Memory that is provided in advance")
struct PreallocatedMemoryTests {
    private func definition(
        _ backing: RegionBacking, at frames: Range<UInt64>, priority: UInt8 = 0
    ) -> RegionDefinition {
        RegionDefinition(
            backing.name, pages(frames), priority: priority,
            memory: [.init(count: bytes(UInt64(frames.count)), of: backing)], parameters: MapParameters())
    }

    private func made(
        _ definitions: [RegionDefinition], beforeHostStep: GuestReservation.StepObserver? = nil
    ) throws(RegionManagerError) -> RegionManager {
        try RegionManager.make(
            addressWidth: 32, policy: .layered, definitions, shownTo: { _ in FakePartition("A", StepLog()) },
            beforeHostStep: beforeHostStep
        ).manager
    }

    /// How many pages of what a guest sees are there.
    private func residentPages(_ frames: Range<UInt64>, _ manager: RegionManager) throws -> UInt64 {
        let reservation = manager.space.reservation
        return try frames.reduce(0) { sum, frame in
            sum + UInt64(try reservation.residentByteCount(offset: bytes(frame), count: 4096)) / 4096
        }
    }

    private func expectZeros(_ frames: Range<UInt64>, _ manager: RegionManager) throws {
        for frame in frames {
            let page: [UInt64] = try (0..<512).map {
                try manager.memory.load(GuestAddress(bytes(frame) + $0 * 8), as: UInt64.self)
            }
            #expect(page.allSatisfy { $0 == 0 }, "frame \(frame)")
        }
    }

    @Test("A guest's pages are there before it touches them, and zero; what it has no use for stays")
    func taken() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(1024))
        #expect(pool.remainingByteCount == bytes(1024))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(600), from: pool)
        // Nobody sees it yet.
        #expect(pool.remainingByteCount == bytes(1024))
        let manager = try made([definition(ram, at: 0..<600)])
        #expect(pool.remainingByteCount == bytes(424))
        #expect(try residentPages(0..<600, manager) == 600)
        try expectZeros(0..<600, manager)
        pool.giveBack()
        #expect(pool.remainingByteCount == 0)
        let other = try RegionBacking(anonymous: "other", byteCount: bytes(8), from: pool)
        let second = try made([definition(other, at: 0..<8)])
        #expect(try residentPages(0..<8, second) == 0)
        try expectZeros(0..<8, second)
        #expect(try residentPages(0..<600, manager) == 600)
    }

    @Test("Where there is too little, the rest comes as it is touched", arguments: [1, 4, 15])
    func tooLittle(_ count: UInt64) throws {
        let pool = try PreallocatedMemory(byteCount: bytes(count))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16), from: pool)
        let manager = try made([definition(ram, at: 0..<16)])
        #expect(pool.remainingByteCount == 0)
        #expect(try residentPages(0..<16, manager) == count)
        for frame in 0..<16 as Range<UInt64> { try manager.memory.store(frame + 1, at: GuestAddress(bytes(frame))) }
        let contents = try manager.withTurn { manager throws(RegionManagerError) in try manager.contentsToFill() }
        let extents = try #require(contents.first?.extents)
        #expect(extents.map(\.bytes) == [0..<bytes(count), bytes(count)..<bytes(16)])
        #expect(extents.map(\.isPreallocated) == [true, false])
        for extent in extents {
            let first = UnsafeRawPointer(bitPattern: extent.hostAddress)?.load(as: UInt64.self)
            #expect(first == extent.bytes.lowerBound / 4096 + 1)
        }
    }

    @Test("Pages lie in their 2 MiB as the guest's do, also beside a ROM")
    func aligned() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(2048))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(2048), from: pool)
        let rom = try RegionBacking(memfd: "rom", byteCount: bytes(10))
        let manager = try made([definition(ram, at: 0..<2048), definition(rom, at: 100..<110, priority: 1)])
        #expect(pool.mapping.pieces.map(\.range) == [bytes(100)..<bytes(110)])
        #expect(try residentPages(0..<100, manager) == 100)
        #expect(try residentPages(110..<2048, manager) == 1938)
        let contents = try manager.withTurn { manager throws(RegionManagerError) in try manager.contentsToFill() }
        let extents = try #require(contents.first?.extents)
        #expect(extents.map(\.bytes) == [0..<bytes(100), bytes(100)..<bytes(110), bytes(110)..<bytes(2048)])
        #expect(extents.map(\.isPreallocated) == [true, false, true])
    }

    @Test("All of it is taken, however small the pieces are that others have left")
    func leftOvers() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(4096))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(4096), from: pool)
        let roms = try [100, 1600].map { (frame: UInt64) in
            definition(
                try RegionBacking(memfd: "rom", byteCount: bytes(16)), at: frame..<(frame + 16), priority: 1)
        }
        let manager = try made([definition(ram, at: 0..<4096)] + roms)
        // Those are for what the ROMs hide.
        #expect(pool.remainingByteCount == bytes(32))
        #expect(try residentPages(0..<100, manager) == 100)
        #expect(try residentPages(116..<1600, manager) == 1484)
        #expect(try residentPages(1616..<4096, manager) == 2480)
        let other = try RegionBacking(anonymous: "other", byteCount: bytes(64), from: pool)
        let second = try made([definition(other, at: 7..<71)])
        #expect(pool.remainingByteCount == 0)
        #expect(try residentPages(7..<71, second) == 32)
        try expectZeros(7..<71, second)
    }

    @Test("What goes with a guest is not taken for what was provided in advance, in the next guest that has the memory")
    func nextGuest() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(16))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16), from: pool)
        do {
            let manager = try made([definition(ram, at: 0..<16)])
            #expect(try residentPages(0..<16, manager) == 16)
            #expect(ram.preallocatedRuns == [0..<bytes(16)])
        }
        let manager = try made([definition(ram, at: 0..<16)])
        #expect(ram.preallocatedRuns.isEmpty)
        #expect(try residentPages(0..<16, manager) == 0)
        try expectZeros(0..<16, manager)
    }

    @Test("Pages that lie otherwise are taken where there are no better ones")
    func misaligned() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(16))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16), from: pool)
        let manager = try made([definition(ram, at: 100..<116)])
        #expect(pool.remainingByteCount == 0)
        #expect(try residentPages(100..<116, manager) == 16)
        try expectZeros(100..<116, manager)
    }

    @Test("What was taken is the guest's, wherever it is then: contents come along when it is hidden and shown")
    func hidden() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(8))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16), from: pool)
        let manager = try RegionManager(addressWidth: 32)
        let definition = definition(ram, at: 0..<16)
        let region = try manager.withTurn { manager throws(RegionManagerError) in
            try manager.addRegions([definition])[0]
        }
        for frame in 0..<16 as Range<UInt64> { try manager.memory.store(frame, at: GuestAddress(bytes(frame))) }
        var (hiding, showing) = (RegionUpdate(), RegionUpdate())
        hiding.unmap(region)
        showing.map(region)
        let (hide, show) = (hiding, showing)
        try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(hide) }
        #expect(ram.parkedRuns(in: 0..<bytes(16)) == [0..<bytes(16)])
        try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(show) }
        for frame in 0..<16 as Range<UInt64> {
            #expect(try manager.memory.load(GuestAddress(bytes(frame)), as: UInt64.self) == frame)
        }
    }

    @Test("Memory that several can see, and such that asks for huge pages, is not taken from it")
    func others() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(64))
        let shared = try RegionBacking(memfd: "shared", byteCount: bytes(16))
        let large = try RegionBacking(
            anonymous: "large", byteCount: bytes(16), transparentHugePages: true, from: pool)
        let manager = try made([definition(shared, at: 0..<16), definition(large, at: 16..<32)])
        #expect(pool.remainingByteCount == bytes(64))
        try expectZeros(0..<32, manager)
    }

    // MARK: Failures

    @Test("Where its pages cannot be moved, there is no guest, and they stay for the next")
    func unmovable() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(16))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16), from: pool)
        try pool.mapping.lock(offset: bytes(3), count: 1)
        let error = #expect(throws: RegionManagerError.self) { _ = try made([definition(ram, at: 0..<16)]) }
        #expect("\(String(describing: error))".contains("locked"))
        #expect(pool.remainingByteCount == bytes(16))
        #expect(ram.parkedRuns(in: 0..<bytes(16)).isEmpty)
        try pool.mapping.unlock(offset: bytes(3), count: 1)
        let manager = try made([definition(ram, at: 0..<16)])
        #expect(pool.remainingByteCount == 0)
        #expect(try residentPages(0..<16, manager) == 16)
    }

    @Test("Where a later step fails, what was taken stays the backing's, and goes with it")
    func laterFailure() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(32))
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16), from: pool)
        let high = try RegionBacking(anonymous: "high", byteCount: bytes(16), from: pool)
        let definitions = [definition(ram, at: 0..<16), definition(high, at: 512..<528)]
        #expect(throws: RegionManagerError.self) {
            _ = try made(definitions) { (step) throws(HostMemoryError) in
                if case .map(let piece) = step, piece.backing === high {
                    throw HostMemoryError(.map, nil, .system(.noMemory))
                }
            }
        }
        #expect(pool.remainingByteCount == bytes(16))
        #expect(ram.parkedRuns(in: 0..<bytes(16)) == [0..<bytes(16)])
        let manager = try made(definitions)
        #expect(pool.remainingByteCount == 0)
        #expect(try residentPages(0..<16, manager) == 16 && residentPages(512..<528, manager) == 16)
        try expectZeros(0..<16, manager)
    }

    @Test("Several guests at once take different pages")
    func concurrency() throws {
        let pool = try PreallocatedMemory(byteCount: bytes(4096))
        let taken = Monitor<[RegionManager]>([])
        try onThreads(4) { _ in
            for _ in 0..<16 {
                guard let ram = try? RegionBacking(anonymous: "ram", byteCount: bytes(64), from: pool),
                    let manager = try? made([definition(ram, at: 0..<64)])
                else { return }
                taken.withLock { $0.append(manager) }
            }
        }
        let managers = taken.withLock(\.self)
        #expect(managers.count == 64 && pool.remainingByteCount == 0)
        for (number, manager) in managers.enumerated() {
            #expect(try residentPages(0..<64, manager) == 64)
            for frame in 0..<64 as Range<UInt64> {
                #expect(try manager.memory.load(GuestAddress(bytes(frame)), as: UInt64.self) == 0)
                try manager.memory.store(UInt64(number + 1), at: GuestAddress(bytes(frame)))
            }
        }
    }

    @Test("What is not made of whole pages is refused", arguments: [0, 1, 4095, 4097, UInt64.max])
    func partialPages(_ byteCount: UInt64) {
        #expect(throws: PreallocationError.misaligned(byteCount: byteCount)) {
            try PreallocatedMemory(byteCount: byteCount)
        }
    }

    @Test("More than there is is refused before anything is provided")
    func tooMuch() {
        let error = PreallocationError.exceedsAvailable(byteCount: bytes(8), available: bytes(7))
        #expect(throws: error) { try PreallocatedMemory(byteCount: bytes(8), available: bytes(7)) }
        #expect("\(error)".contains("32768 bytes") && "\(error)".contains("28672 bytes available"))
        #expect(throws: Never.self) { try PreallocatedMemory(byteCount: bytes(8), available: bytes(8)) }
        // On any host.
        #expect(throws: PreallocationError.self) { try PreallocatedMemory(byteCount: 1 << 62) }
    }

    @Test("Addresses that the process cannot have are refused by the host's word")
    func noAddresses() {
        let error = #expect(throws: PreallocationError.self) {
            try PreallocatedMemory(byteCount: 1 << 62, available: nil)
        }
        guard case .host(byteCount: 1 << 62, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.operation == .reserve)
    }
}
