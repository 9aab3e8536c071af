import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Ending registrations, and RAM that comes and goes")
struct MemoryRegistrarUnregistrationTests {
    private typealias Event = RecordingTarget.Event
    private typealias Failure = MemoryRegistrar<RecordingTarget>.Failure
    private let chunk: UInt64 = 2 << 20
    private let target = RecordingTarget()

    private func makeRegistrar(
        _ ram: [MemoryRange], _ other: RecordingTarget? = nil
    ) throws -> MemoryRegistrar<RecordingTarget> {
        try MemoryRegistrar(target: other ?? target, ram: ram, chunkSize: chunk)
    }

    @Test("A chunk that is unregistered is registered again when next exposed")
    func again() throws {
        let registrar = try makeRegistrar([ramRange(0, 3 * chunk)])
        try registrar.expose(GuestAddress(0), count: 3 * chunk)
        _ = target.takeEvents()
        try registrar.unregister(ramRange(chunk, chunk))
        #expect(target.takeEvents() == [.unregister(ramRange(chunk, chunk))])
        #expect(registrar.summary.registeredChunkCount == 2)
        try registrar.expose(GuestAddress(0), count: 3 * chunk)
        #expect(target.takeEvents() == [.register(ramRange(chunk, chunk))])
    }

    @Test("Unregistering takes one call for each registration, ascending, and none for what is not registered")
    func pieces() throws {
        let ram = [ramRange(0, 0x1000), ramRange(0x1000, 0x1000), ramRange(chunk, 2 * chunk)]
        let registrar = try makeRegistrar(ram)
        try registrar.unregister(.whole)
        try registrar.expose(GuestAddress(0), count: 1)
        try registrar.expose(GuestAddress(2 * chunk), count: 1)
        _ = target.takeEvents()
        try registrar.unregister(.whole)
        #expect(target.takeEvents() == [ram[0], ram[1], ramRange(2 * chunk, chunk)].map { .unregister($0) })
        try registrar.unregister(.whole)
        #expect(target.takeEvents().isEmpty)
        #expect(registrar.registeredRanges.isEmpty)
    }

    @Test("Of a chunk unregistered in part, the next exposure registers that part alone")
    func part() throws {
        let registrar = try makeRegistrar([ramRange(0, chunk)])
        try registrar.expose(GuestAddress(0), count: 1)
        try registrar.unregister(ramRange(0x4000, 0x2000))
        #expect(registrar.registeredRanges == [ramRange(0, 0x4000), ramRange(0x6000, chunk - 0x6000)])
        #expect(registrar.registeredRanges == target.held)
        #expect(registrar.summary.registeredChunkCount == 0)
        _ = target.takeEvents()
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(0x4000, 0x2000))])
        try registrar.unregister(.whole)
        #expect(target.held.isEmpty && target.violations.isEmpty)
    }

    @Test("A target that cannot split keeps what would be cut, at either end, and nothing is changed")
    func noSplit() throws {
        let target = RecordingTarget(canSplit: false)
        let registrar = try makeRegistrar([ramRange(0, 3 * chunk)], target)
        try registrar.expose(GuestAddress(0), count: 3 * chunk)
        _ = target.takeEvents()
        for (range, cut) in [
            (ramRange(0x1000, chunk), ramRange(0, chunk)), (ramRange(0, chunk + 0x1000), ramRange(chunk, chunk)),
            (ramRange(chunk + 0x1000, 0x1000), ramRange(chunk, chunk)),
        ] {
            #expect(throws: Failure.wouldSplit(range, registered: cut)) { try registrar.unregister(range) }
            #expect(throws: Failure.wouldSplit(range, registered: cut)) { try registrar.removeRAM(range) }
        }
        try registrar.expose(GuestAddress(0), count: 3 * chunk)
        #expect(target.takeEvents().isEmpty)
        #expect(registrar.ram == [ramRange(0, 3 * chunk)])
        try registrar.unregister(ramRange(chunk, chunk))
        #expect(target.takeEvents() == [.unregister(ramRange(chunk, chunk))])
        #expect(target.violations.isEmpty)
    }

    @Test("Unregistering stops at the first part the target keeps; the same call goes on from there", arguments: 0..<3)
    func unregisterFails(_ failing: Int) throws {
        let parts = (0..<3).map { ramRange(UInt64($0) * chunk, chunk) }
        let registrar = try makeRegistrar([ramRange(0, 3 * chunk)])
        try registrar.expose(GuestAddress(0), count: 3 * chunk)
        _ = target.takeEvents()
        let refused = Event.unregister(parts[failing])
        target.refuse { $0 == refused }
        let fault = RegistrationFault(range: parts[failing], error: RecordingTarget.Refusal(call: .unregister))
        #expect(throws: Failure.unregistrationFailed(fault)) { try registrar.removeRAM(ramRange(0, 3 * chunk)) }
        #expect(target.takeEvents() == parts[..<failing].map { .unregister($0) } + [refused.refused])
        #expect(registrar.ram == [ramRange(0, 3 * chunk)])
        #expect(registrar.registeredRanges == Array(parts[failing...]))
        // What is registered still is a hit.
        try registrar.expose(parts[failing])
        #expect(target.takeEvents().isEmpty)
        target.refuse { _ in false }
        try registrar.removeRAM(ramRange(0, 3 * chunk))
        #expect(target.takeEvents() == parts[failing...].map { .unregister($0) })
        #expect(registrar.ram.isEmpty)
    }

    @Test("RAM added to a chunk that is registered is registered alone, at the next exposure")
    func hotAdd() throws {
        let registrar = try makeRegistrar([ramRange(0, 0x1000)])
        try registrar.expose(GuestAddress(0), count: 1)
        _ = target.takeEvents()
        try registrar.addRAM(ramRange(0x4000, 0x1000))
        #expect(target.takeEvents().isEmpty)
        #expect(registrar.summary.registeredChunkCount == 0)
        try registrar.expose(GuestAddress(0x4000), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(0x4000, 0x1000))])
        try registrar.expose(GuestAddress(0x4000), count: 1)
        #expect(target.takeEvents().isEmpty)
    }

    @Test("Added RAM that is refused leaves what was registered before it in place")
    func hotAddFails() throws {
        let registrar = try makeRegistrar([ramRange(0, 0x1000)])
        try registrar.expose(GuestAddress(0), count: 1)
        try registrar.addRAM(ramRange(0x4000, 0x1000))
        try registrar.addRAM(ramRange(0x8000, 0x1000))
        _ = target.takeEvents()
        let refused = Event.register(ramRange(0x8000, 0x1000))
        target.refuse { $0 == refused }
        #expect(throws: Failure.self) { try registrar.expose(GuestAddress(0), count: 1) }
        #expect(
            target.takeEvents() == [
                .register(ramRange(0x4000, 0x1000)), refused.refused, .unregister(ramRange(0x4000, 0x1000)),
            ])
        #expect(registrar.registeredRanges == [ramRange(0, 0x1000)])
    }

    @Test("A registrar can start with no RAM, and gain it at the end of the address space")
    func fromNothing() throws {
        let registrar = try makeRegistrar([])
        try registrar.expose(MemoryRange.whole)
        let top = ramRange(1 << 52 - 3 * chunk, 3 * chunk)
        try registrar.addRAM(top)
        try registrar.expose(GuestAddress(1 << 52 - 1), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(1 << 52 - chunk, chunk))])
        try registrar.expose(MemoryRange.whole)
        #expect(registrar.summary.registeredChunkCount == 3)
    }

    @Test("RAM removed is unregistered where it was registered, and not registered again")
    func remove() throws {
        let registrar = try makeRegistrar([ramRange(0, 0x1000), ramRange(0x4000, 4 * chunk)])
        try registrar.expose(GuestAddress(0), count: chunk + 1)
        _ = target.takeEvents()
        try registrar.removeRAM(ramRange(0x4000, 4 * chunk))
        #expect(
            target.takeEvents() == [
                .unregister(ramRange(0x4000, chunk - 0x4000)), .unregister(ramRange(chunk, chunk)),
            ])
        #expect(registrar.ram == [ramRange(0, 0x1000)])
        try registrar.expose(MemoryRange.whole)
        #expect(target.takeEvents().isEmpty)
        #expect(
            registrar.summary
                == RegistrationSummary(
                    chunkCount: 1, registeredChunkCount: 1, ramByteCount: 0x1000, registeredByteCount: 0x1000))
    }

    @Test("Removing the one range that was not registered makes its chunk a hit")
    func removeRest() throws {
        let registrar = try makeRegistrar([ramRange(0, 0x1000)])
        try registrar.expose(GuestAddress(0), count: 1)
        try registrar.addRAM(ramRange(0x4000, 0x1000))
        try registrar.removeRAM(ramRange(0x4000, 0x1000))
        #expect(registrar.summary.registeredChunkCount == 1)
        #expect(target.takeEvents() == [.register(ramRange(0, 0x1000))])
    }

    @Test("A part of RAM can be removed, and other RAM be put in its place")
    func replace() throws {
        let registrar = try makeRegistrar([ramRange(0, chunk)])
        try registrar.expose(GuestAddress(0), count: 1)
        try registrar.removeRAM(ramRange(0x1000, 0x1000))
        #expect(registrar.ram == [ramRange(0, 0x1000), ramRange(0x2000, chunk - 0x2000)])
        try registrar.addRAM(ramRange(0x1000, 0x1000))
        _ = target.takeEvents()
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(0x1000, 0x1000))])
        #expect(target.violations.isEmpty)
    }
}
