import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Lazy registration of guest RAM")
struct MemoryRegistrarTests {
    private let chunk: UInt64 = 2 << 30
    private let target = RecordingTarget()

    /// 1 TiB in three parts, with holes from 64 KiB to 128 KiB and from 1 TiB to 2 TiB.
    private var ram: [MemoryRange] {
        [ramRange(2 << 40, 0x1_0000), ramRange(0, 0x1_0000), ramRange(0x2_0000, 1 << 40 - 0x2_0000)]
    }

    @Test("RAM is registered chunk by chunk, clipped to the ranges there are, at the offset, once")
    func script() throws {
        let offset: UInt64 = 1 << 50
        let registrar = try MemoryRegistrar(target: target, ram: ram, registrationOffset: offset)
        let exposed: [Range<UInt64>] = [
            0x1000..<0x8000, 0x2_0000..<0x3_0000, 0x10_0000..<0x20_0000, 1 << 33..<1 << 35 + 1,
        ]
        for range in exposed {
            try registrar.expose(GuestAddress(range.lowerBound), count: range.upperBound - range.lowerBound)
        }
        var expected = [ramRange(offset, 0x1_0000), ramRange(offset + 0x2_0000, chunk - 0x2_0000)]
        expected += (4...16).map { ramRange(offset + $0 * chunk, chunk) }
        #expect(target.takeEvents() == expected.map { .register($0) })
        #expect(target.violations.isEmpty)
    }

    @Test("Nothing is registered before it is exposed")
    func lazy() throws {
        let registrar = try MemoryRegistrar(target: target, ram: ram)
        #expect(target.takeEvents().isEmpty)
        #expect(registrar.registeredRanges.isEmpty)
    }

    @Test("No bytes need no registration, wherever they are", arguments: [0, 1, 0x1_0000, 1 << 52, .max] as [UInt64])
    func noBytes(_ address: UInt64) throws {
        let registrar = try MemoryRegistrar(target: target, ram: ram)
        try registrar.expose(GuestAddress(address), count: 0)
        #expect(target.takeEvents().isEmpty)
    }

    @Test(
        "Addresses without RAM need no registration, below, between and above the RAM and past the address space",
        arguments: [
            (1 << 40, 1), (1 << 40, 1 << 40), (3 << 40, 1 << 40), (1 << 52, 1), (1 << 52 - 1, 2), (.max, 1),
            (1 << 63, 1 << 63),
        ] as [(UInt64, UInt64)])
    func noRAM(_ address: UInt64, _ count: UInt64) throws {
        let registrar = try MemoryRegistrar(target: target, ram: ram)
        try registrar.expose(GuestAddress(address), count: count)
        #expect(target.takeEvents().isEmpty)
    }

    @Test("A hole in a chunk with RAM brings in that RAM, like any other address of the chunk")
    func hole() throws {
        let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, 0x1_0000)])
        try registrar.expose(GuestAddress(0x1_8000), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(0, 0x1_0000))])
    }

    @Test(
        "The last byte decides whether the next chunk is needed",
        arguments: [(1, 1), (2, 2), (UInt64(2) << 30, 2), (UInt64(2) << 30 + 1, 2), (UInt64(2) << 30 + 2, 3)]
            as [(UInt64, Int)])
    func boundary(_ count: UInt64, _ chunks: Int) throws {
        let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, 4 * chunk)])
        try registrar.expose(GuestAddress(chunk - 1), count: count)
        #expect(target.takeEvents() == (0..<chunks).map { .register(ramRange(UInt64($0) * chunk, chunk)) })
    }

    @Test("Bytes and pages can be exposed as ranges")
    func ranges() throws {
        let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, 4 * chunk)])
        try registrar.expose(#require(AddressRange(start: GuestAddress(7), count: 3)))
        #expect(target.takeEvents() == [.register(ramRange(0, chunk))])
        try registrar.expose(ramRange(chunk, 0x1000))
        #expect(target.takeEvents() == [.register(ramRange(chunk, chunk))])
    }

    @Test("All addresses can be exposed at once, and only RAM is visited")
    func everything() throws {
        let registrar = try MemoryRegistrar(
            target: target, ram: [ramRange(0x1000, 0x1000), ramRange(1 << 52 - 0x1000, 0x1000)])
        try registrar.expose(MemoryRange.whole)
        #expect(
            target.takeEvents() == [
                .register(ramRange(0x1000, 0x1000)), .register(ramRange(1 << 52 - 0x1000, 0x1000)),
            ])
    }

    @Test("RAM ranges that adjoin stay apart, so that each can be removed")
    func adjoining() throws {
        let registrar = try MemoryRegistrar(
            target: target, ram: [ramRange(0x1000, 0x1000), ramRange(0, 0x1000), ramRange(0x2000, 0x3000)])
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(
            target.takeEvents() == [
                .register(ramRange(0, 0x1000)), .register(ramRange(0x1000, 0x1000)),
                .register(ramRange(0x2000, 0x3000)),
            ])
    }

    @Test("Chunks can be of 2 MiB, and as large as the address space")
    func chunkSizes() throws {
        let small = try MemoryRegistrar(target: target, ram: [ramRange(0, 1 << 30)], chunkSize: 2 << 20)
        try small.expose(GuestAddress(0x20_0000), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(0x20_0000, 0x20_0000))])
        let other = RecordingTarget()
        let large = try MemoryRegistrar(
            target: other, ram: [ramRange(0, 1 << 32)], chunkSize: 1 << 32, addressSpaceBits: 32)
        try large.expose(GuestAddress(0), count: 1)
        #expect(other.takeEvents() == [.register(ramRange(0, 1 << 32))])
    }

    @Test("The summary counts chunks and bytes")
    func summary() throws {
        let registrar = try MemoryRegistrar(
            target: target, ram: [ramRange(0, 0x1000), ramRange(0x2000, 0x1000), ramRange(chunk, 2 * chunk)])
        #expect(
            registrar.summary
                == RegistrationSummary(
                    chunkCount: 3, registeredChunkCount: 0, ramByteCount: 2 * chunk + 0x2000, registeredByteCount: 0,
                    activeThreadCount: 0))
        try registrar.expose(GuestAddress(chunk - 1), count: 2)
        #expect(registrar.summary.registeredChunkCount == 2)
        #expect(registrar.summary.registeredByteCount == chunk + 0x2000)
        #expect(registrar.registeredRanges == [ramRange(0, 0x1000), ramRange(0x2000, 0x1000), ramRange(chunk, chunk)])
    }
}
