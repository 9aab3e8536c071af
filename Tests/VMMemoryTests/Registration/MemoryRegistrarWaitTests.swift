import Glibc
import Synchronization
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

@Suite("Who waits for whom", .timeLimit(.minutes(10)))
struct MemoryRegistrarWaitTests {
    /// What a test's threads count.
    private final class Count: Sendable {
        private let value = Atomic<Int>(0)
        func add() { value.wrappingAdd(1, ordering: .acquiringAndReleasing) }
        var now: Int { value.load(ordering: .acquiring) }
    }

    private let chunk: UInt64 = 2 << 20

    private func makeRegistrar(_ target: HeldUpTarget) throws -> MemoryRegistrar<HeldUpTarget> {
        try MemoryRegistrar(target: target, ram: [ramRange(0, 2 * chunk)], chunkSize: chunk)
    }

    /// Long enough for a thread that does not wait to be done.
    private func letOthersRun() {
        usleep(50_000)
    }

    @Test("Two chunks are registered at the same time")
    func parallel() throws {
        // It opens when two calls are under way: one after the other, neither would end before the time is over.
        let target = HeldUpTarget(opensAt: 2)
        let registrar = try makeRegistrar(target)
        try onThreads(2) { thread in
            try registrar.expose(GuestAddress(UInt64(thread) * chunk), count: 1)
        }
        #expect(target.isOpen)
        #expect(registrar.summary.registeredChunkCount == 2)
    }

    @Test("Those who need a chunk under way wait and register nothing; hits and the summary do not wait")
    func sameChunk() throws {
        let target = HeldUpTarget()
        let registrar = try makeRegistrar(target)
        target.isOpen = true
        try registrar.expose(GuestAddress(chunk), count: 1)
        target.isOpen = false
        let returned = Count()
        try onThreads(4) { thread in
            if thread == 3 {
                try RegistrarThreads.check(target.awaitCall())
                try registrar.expose(GuestAddress(chunk), count: 1)
                try RegistrarThreads.check(registrar.summary.activeThreadCount == 1)
                letOthersRun()
                try RegistrarThreads.check(returned.now == 0)
                target.isOpen = true
            } else {
                try registrar.expose(GuestAddress(0), count: 1)
                returned.add()
            }
        }
        #expect(returned.now == 3)
        #expect(target.callCount == 2)
        #expect(registrar.summary.activeThreadCount == 0)
    }

    @Test("Whoever waited for an attempt that failed makes one of their own")
    func failure() throws {
        let target = HeldUpTarget(refusals: 1)
        let registrar = try makeRegistrar(target)
        let failed = Count()
        try onThreads(4) { thread in
            if thread == 3 {
                try RegistrarThreads.check(target.awaitCall())
                letOthersRun()
                target.isOpen = true
                return
            }
            do throws(MemoryRegistrar<HeldUpTarget>.Failure) {
                try registrar.expose(GuestAddress(0), count: 1)
            } catch {
                try RegistrarThreads.check(
                    error
                        == .registrationFailed(
                            RegistrationFault(range: ramRange(0, chunk), error: HeldUpTarget.Refusal()), notUndone: []))
                failed.add()
            }
        }
        #expect(failed.now == 1)
        #expect(target.callCount == 2)
        #expect(registrar.registeredRanges == [ramRange(0, chunk)])
    }

    @Test("Unregistering waits for a registration under way, and then ends it")
    func unregisterWaits() throws {
        let target = HeldUpTarget()
        let registrar = try makeRegistrar(target)
        let returned = Count()
        try onThreads(3) { thread in
            switch thread {
            case 0:
                try registrar.expose(GuestAddress(0), count: 1)
            case 1:
                try RegistrarThreads.check(target.awaitCall())
                try registrar.unregister(ramRange(0, 0x1000))
                returned.add()
            default:
                try RegistrarThreads.check(target.awaitCall())
                letOthersRun()
                try RegistrarThreads.check(returned.now == 0)
                target.isOpen = true
            }
        }
        #expect(registrar.registeredRanges == [ramRange(0x1000, chunk - 0x1000)])
    }

    @Test("Exposing what is being unregistered waits, and then registers it again")
    func exposeWaits() throws {
        let target = HeldUpTarget()
        let registrar = try makeRegistrar(target)
        target.isOpen = true
        try registrar.expose(GuestAddress(0), count: 1)
        target.isOpen = false
        let returned = Count()
        try onThreads(3) { thread in
            switch thread {
            case 0:
                try registrar.unregister(.whole)
            case 1:
                try RegistrarThreads.check(target.awaitCall())
                try registrar.expose(GuestAddress(0), count: 1)
                returned.add()
            default:
                try RegistrarThreads.check(target.awaitCall())
                letOthersRun()
                try RegistrarThreads.check(returned.now == 0)
                target.isOpen = true
            }
        }
        #expect(registrar.registeredRanges == [ramRange(0, chunk)])
        #expect(target.callCount == 3)
    }

    @Test("RAM added to a chunk under way does not wait, and is registered at the next exposure")
    func addMeanwhile() throws {
        let target = HeldUpTarget()
        let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, 0x1000)], chunkSize: chunk)
        try onThreads(2) { thread in
            if thread == 0 {
                try registrar.expose(GuestAddress(0), count: 1)
            } else {
                try RegistrarThreads.check(target.awaitCall())
                try registrar.addRAM(ramRange(0x1000, 0x1000))
                try RegistrarThreads.check(target.activeCallCount == 1)
                target.isOpen = true
            }
        }
        #expect(registrar.registeredRanges == [ramRange(0, 0x1000)])
        #expect(registrar.summary.registeredChunkCount == 0)
        try registrar.expose(GuestAddress(0), count: 1)
        #expect(registrar.registeredRanges == [ramRange(0, 0x1000), ramRange(0x1000, 0x1000)])
    }
}
