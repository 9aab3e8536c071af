import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Registrations that fail")
struct MemoryRegistrarFailureTests {
    private typealias Event = RecordingTarget.Event
    private typealias Failure = MemoryRegistrar<RecordingTarget>.Failure
    private let offset: UInt64 = 1 << 44
    /// Four ranges in the first chunk, and one that fills the second.
    private let ram = (0..<4).map { ramRange($0 * 0x2000, 0x1000) } + [ramRange(2 << 20, 2 << 20)]
    private let target = RecordingTarget()

    private func makeRegistrar() throws -> MemoryRegistrar<RecordingTarget> {
        try MemoryRegistrar(target: target, ram: ram, chunkSize: 2 << 20, registrationOffset: offset)
    }

    private func moved(_ range: MemoryRange) -> MemoryRange {
        ramRange(range.start.rawValue + offset, range.count)
    }

    private func fault(_ range: MemoryRange, _ call: Event.Call) -> RegistrationFault<RecordingTarget.Refusal> {
        RegistrationFault(range: range, error: RecordingTarget.Refusal(call: call))
    }

    @Test(
        "What a failed attempt had registered is unregistered, last first; the next attempt does it all",
        arguments: 0..<4)
    func undo(_ failing: Int) throws {
        let registrar = try makeRegistrar()
        let refused = Event.register(moved(ram[failing]))
        target.refuse { $0 == refused }
        let done = ram[..<failing]
        let expected =
            done.map { Event.register(moved($0)) } + [refused.refused]
            + done.reversed().map { Event.unregister(moved($0)) }
        // More than once: that it failed is not remembered, and the error is the same each time.
        for _ in 0..<3 {
            #expect(throws: Failure.registrationFailed(fault(ram[failing], .register), notUndone: [])) {
                try registrar.expose(GuestAddress(0x2345), count: 0x10)
            }
            #expect(target.takeEvents() == expected)
            #expect(registrar.registeredRanges.isEmpty)
        }
        target.refuse { _ in false }
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(target.takeEvents() == ram[..<4].map { .register(moved($0)) })
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(target.takeEvents().isEmpty)
        #expect(target.violations.isEmpty)
    }

    @Test("What cannot be undone is named, remembered and not registered twice", arguments: 0..<3)
    func undoFails(_ stuck: Int) throws {
        let registrar = try makeRegistrar()
        let refused = [Event.register(moved(ram[3])), .unregister(moved(ram[stuck]))]
        target.refuse { refused.contains($0) }
        #expect(
            throws: Failure.registrationFailed(
                fault(ram[3], .register), notUndone: [fault(ram[stuck], .unregister)])
        ) { try registrar.expose(GuestAddress(0), count: 1) }
        let undone = (0..<3).reversed().map { index in
            let event = Event.unregister(moved(ram[index]))
            return index == stuck ? event.refused : event
        }
        #expect(target.takeEvents() == ram[..<3].map { .register(moved($0)) } + [refused[0].refused] + undone)
        #expect(registrar.registeredRanges == [ram[stuck]])
        #expect(registrar.summary.registeredChunkCount == 0)

        target.refuse { _ in false }
        try registrar.expose(GuestAddress(0), count: 1)
        let rest = (0..<4).filter { $0 != stuck }
        #expect(target.takeEvents() == rest.map { .register(moved(ram[$0])) })
        #expect(target.violations.isEmpty)
    }

    @Test("Every range that cannot be undone is in the error, and a retry needs only the one that failed")
    func allStuck() throws {
        let registrar = try makeRegistrar()
        let refused = Event.register(moved(ram[3]))
        target.refuse { $0 == refused || $0.call == .unregister }
        #expect(
            throws: Failure.registrationFailed(
                fault(ram[3], .register), notUndone: ram[..<3].reversed().map { fault($0, .unregister) })
        ) { try registrar.expose(GuestAddress(0), count: 1) }
        #expect(registrar.registeredRanges == Array(ram[..<3]))
        _ = target.takeEvents()
        // A second failure undoes nothing that was there before it.
        #expect(throws: Failure.registrationFailed(fault(ram[3], .register), notUndone: [])) {
            try registrar.expose(GuestAddress(0), count: 1)
        }
        #expect(target.takeEvents() == [refused.refused])
        target.refuse { _ in false }
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(target.takeEvents() == [refused])
    }

    @Test("A failure in one chunk keeps the chunks below it and leaves those above it alone")
    func laterChunk() throws {
        let registrar = try makeRegistrar()
        try registrar.addRAM(ramRange(4 << 20, 2 << 20))
        let refused = Event.register(moved(ram[4]))
        target.refuse { $0 == refused }
        #expect(throws: Failure.registrationFailed(fault(ram[4], .register), notUndone: [])) {
            try registrar.expose(GuestAddress(0), count: 6 << 20)
        }
        #expect(target.takeEvents() == ram[..<4].map { .register(moved($0)) } + [refused.refused])
        #expect(registrar.registeredRanges == Array(ram[..<4]))
        try registrar.expose(GuestAddress(0), count: 2 << 20)
        try registrar.expose(GuestAddress(4 << 20), count: 1)
        #expect(target.takeEvents() == [.register(moved(ramRange(4 << 20, 2 << 20)))])
    }
}
