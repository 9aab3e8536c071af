import Synchronization
import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("A registrar raced by several threads", .timeLimit(.minutes(10)))
struct MemoryRegistrarRaceTests {
    private let chunk: UInt64 = 2 << 20

    /// Notes each chunk it registers in plain memory, as a kernel would: only the registrar's own ordering lets those who
    /// expose the chunk read the note.
    private final class NotingTarget: MemoryRegistration {
        final class Note: @unchecked Sendable {
            // SAFETY: written by the one thread that registers the chunk, and read by those for which `expose` has
            // returned: that this does not race is what the test is about.
            var count = 0
        }

        let notes: [Note]
        let canSplit = true
        private let chunk: UInt64

        init(chunks: Int, of chunk: UInt64) {
            self.chunk = chunk
            notes = (0..<chunks).map { _ in Note() }
        }

        func register(_ range: MemoryRange) throws(Never) {
            notes[Int(range.start.rawValue / chunk)].count += 1
        }

        func unregister(_ range: MemoryRange) throws(Never) {}
    }

    @Test("Each chunk is registered exactly once, and whoever exposes it sees what that did")
    func once() throws {
        for round in 0..<20 {
            let target = NotingTarget(chunks: 256, of: chunk)
            let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, 256 * chunk)], chunkSize: chunk)
            try onThreads(4) { thread in
                var numbers = SeededGenerator(seed: UInt64(round * 4 + thread))
                for _ in 0..<1000 {
                    let chosen = UInt64.random(in: 0..<256, using: &numbers)
                    let count = UInt64.random(in: 1...(256 - chosen), using: &numbers) % 3 * chunk + 1
                    let last = min(chosen + count / chunk, 255)
                    try registrar.expose(GuestAddress(chosen * chunk), count: count)
                    try RegistrarThreads.check((chosen...last).allSatisfy { target.notes[Int($0)].count == 1 })
                }
            }
            #expect(target.notes.allSatisfy { $0.count <= 1 })
        }
    }

    @Test("A hit alone orders what registering did before what comes after it")
    func hitOrders() throws {
        final class Flag: Sendable { let isSet = Atomic<Bool>(false) }
        for _ in 0..<20 {
            let target = NotingTarget(chunks: 1, of: chunk)
            let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, chunk)], chunkSize: chunk)
            let isRegistered = Flag()
            try onThreads(2) { thread in
                if thread == 0 {
                    try registrar.expose(GuestAddress(0), count: 1)
                    // Relaxed: it tells the other thread when, and orders nothing.
                    isRegistered.isSet.store(true, ordering: .relaxed)
                } else {
                    try RegistrarThreads.check(RegistrarThreads.wait { isRegistered.isSet.load(ordering: .relaxed) })
                    try registrar.expose(GuestAddress(0), count: 1)
                    try RegistrarThreads.check(target.notes[0].count == 1)
                }
            }
        }
    }

    @Test("With a target that refuses now and then, each refusal is thrown once and the end is as without")
    func refusals() throws {
        final class Count: Sendable { let value = Atomic<Int>(0) }
        let asked = Count()
        let target = RecordingTarget { event in
            event.call == .register && asked.value.wrappingAdd(1, ordering: .relaxed).oldValue % 3 == 1
        }
        // Two ranges in each chunk, so that there is something to undo.
        let ram = (0..<64).map { ramRange($0 * chunk / 2, chunk / 4) }
        let registrar = try MemoryRegistrar(target: target, ram: ram, chunkSize: chunk)
        let thrown = Count()
        try onThreads(4) { thread in
            var numbers = SeededGenerator(seed: UInt64(thread))
            for index in (0..<32).shuffled(using: &numbers) {
                while true {
                    do {
                        try registrar.expose(GuestAddress(UInt64(index) * chunk), count: 1)
                        break
                    } catch {
                        thrown.value.wrappingAdd(1, ordering: .relaxed)
                    }
                }
                try RegistrarThreads.check(target.holds(ram[2 * index]) && target.holds(ram[2 * index + 1]))
            }
        }
        #expect(target.violations.isEmpty)
        #expect(target.held == ram)
        #expect(registrar.registeredRanges == ram)
        #expect(thrown.value.load(ordering: .relaxed) == target.takeEvents().filter(\.isRefused).count)
    }

    @Test("What a thread exposed stays registered until it unregisters it, whatever others do to the same chunks")
    func unregister() throws {
        let target = RecordingTarget(canSplit: false)
        // A quarter of each of four chunks for each thread.
        let ram = (0..<16).map { ramRange($0 * chunk / 4, chunk / 4) }
        let registrar = try MemoryRegistrar(target: target, ram: ram, chunkSize: chunk)
        try onThreads(4) { thread in
            var numbers = SeededGenerator(seed: UInt64(thread))
            for _ in 0..<300 {
                let own = ram[Int.random(in: 0..<4, using: &numbers) * 4 + thread]
                try registrar.expose(own)
                try RegistrarThreads.check(target.holds(own))
                try registrar.unregister(own)
            }
        }
        #expect(target.violations.isEmpty)
        #expect(registrar.registeredRanges == target.held)
        #expect(registrar.summary.activeThreadCount == 0)
    }

    @Test("RAM that comes and goes in a chunk is registered whenever it is exposed, and never once it is gone")
    func addAndRemove() throws {
        let target = RecordingTarget(canSplit: false)
        let registrar = try MemoryRegistrar(target: target, chunkSize: chunk)
        try onThreads(4) { thread in
            let own = ramRange(UInt64(thread) * chunk / 2, chunk / 2)
            for _ in 0..<300 {
                try registrar.addRAM(own)
                try registrar.expose(own)
                try RegistrarThreads.check(target.holds(own))
                // Others are at it too: whatever of this is RAM is registered for them.
                try registrar.expose(MemoryRange.whole)
                try registrar.removeRAM(own)
                try RegistrarThreads.check(!target.holds(own))
            }
        }
        #expect(target.violations.isEmpty)
        #expect(target.held.isEmpty)
        #expect(registrar.summary == RegistrationSummary())
    }

    @Test("RAM published once it is added is registered for whoever exposes it")
    func publication() throws {
        final class Published: Sendable { let count = Atomic<Int>(0) }
        let target = RecordingTarget()
        let registrar = try MemoryRegistrar(target: target, chunkSize: chunk)
        let ranges = (0..<400).map { ramRange($0 * chunk / 8, chunk / 8) }
        let published = Published()
        try onThreads(4) { thread in
            if thread == 0 {
                for (index, range) in ranges.enumerated() {
                    try registrar.addRAM(range)
                    published.count.store(index + 1, ordering: .releasing)
                }
                return
            }
            var seen = 0
            while seen < ranges.count {
                seen = published.count.load(ordering: .acquiring)
                guard seen > 0 else { continue }
                try registrar.expose(ranges[seen - 1])
                try RegistrarThreads.check(target.holds(ranges[seen - 1]))
            }
        }
        #expect(target.violations.isEmpty)
    }
}
