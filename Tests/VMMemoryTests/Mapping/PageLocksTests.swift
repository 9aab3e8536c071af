import Glibc
import Synchronization
import TestSupport
import Testing

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Page locks")
struct PageLocksTests {
    @Test("A page is locked until it has been unlocked as often as it was locked")
    func counting() throws {
        let locks = PageLocks()
        locks.lock(2..<6)
        locks.lock(4..<8)
        locks.lock(4..<5)
        #expect(locks.firstLocked(in: 0..<100) == 2..<8)
        try locks.unlock(2..<6)
        #expect(locks.firstLocked(in: 0..<100) == 4..<8)
        #expect(!locks.isLocked(0..<4) && locks.isLocked(3..<5) && locks.isLocked(7..<8) && !locks.isLocked(8..<9))
        // Not the ranges they were locked as.
        try locks.unlock(4..<5)
        try locks.unlock(5..<8)
        #expect(locks.firstLocked(in: 0..<100) == 4..<5)
        try locks.unlock(4..<5)
        #expect(!locks.isLocked(0..<100))
    }

    @Test("Unlocking what is not locked is refused and unlocks nothing")
    func unlockingUnlocked() throws {
        let locks = PageLocks()
        locks.lock(2..<4)
        let error = refusal { try locks.unlock(1..<4) }
        #expect(error == HostMemoryError(.unlock, .init(offset: page, count: 3 * page), .notLocked(page..<2 * page)))
        let past = refusal { try locks.unlock(3..<6) }
        #expect(past?.reason == .notLocked(4 * page..<6 * page))
        #expect(locks.firstLocked(in: 0..<10) == 2..<4)
    }

    @Test("An empty range is never locked, and page numbers past all memory do no harm")
    func odd() throws {
        let locks = PageLocks()
        locks.lock(3..<3)
        try locks.unlock(3..<3)
        #expect(!locks.isLocked(0..<10) && !locks.isLocked(3..<3))
        locks.lock(UInt64.max - 1..<UInt64.max)
        let error = refusal { try locks.unlock(0..<UInt64.max) }
        #expect(error?.operation == .unlock)
        try locks.unlock(UInt64.max - 1..<UInt64.max)
        #expect(!locks.isLocked(0..<UInt64.max))
    }

    @Test("Waiting ends at once where nothing is locked, and with the timeout where something stays locked")
    func timeouts() {
        let locks = PageLocks()
        locks.lock(0..<4)
        #expect(locks.waitUntilUnlocked(4..<8, timeout: .zero))
        #expect(!locks.waitUntilUnlocked(0..<1, timeout: .zero))
        #expect(!locks.waitUntilUnlocked(0..<1, timeout: .seconds(-5)))
        let start = ContinuousClock.now
        #expect(!locks.waitUntilUnlocked(3..<8, timeout: .milliseconds(30)))
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        #expect(locks.waitUntilUnlocked(4..<8, timeout: .seconds(Int64.max)))
    }

    @Test("The last unlock wakes who waits; one before it does not")
    func waking() throws {
        let locks = PageLocks()
        locks.lock(0..<4)
        locks.lock(2..<3)
        let unlocks = SharedNumber()
        let unlocksSeen = SharedNumber()
        let waiter = TestThread {
            guard locks.waitUntilUnlocked(0..<8, timeout: .seconds(60)) else { return }
            for _ in 0..<unlocks.value { unlocksSeen.add(1) }
        }
        usleep(10_000)
        unlocks.add(1)
        try locks.unlock(0..<4)
        usleep(10_000)
        unlocks.add(1)
        try locks.unlock(2..<3)
        waiter.join()
        #expect(unlocksSeen.value == 2)
    }

    @Test("Claimed pages are not locked until they are released; others are")
    func claims() throws {
        let locks = PageLocks()
        locks.lock(0..<2)
        #expect(locks.claim(1..<4) == 1..<2)
        #expect(locks.claim(2..<4) == nil)
        locks.lock(4..<8)
        locks.lock(0..<2)
        let released = SharedNumber()
        let releaser = TestThread {
            usleep(20_000)
            released.add(1)
            locks.release(2..<4)
        }
        locks.lock(3..<5)
        #expect(released.value == 1)
        releaser.join()
        #expect(locks.firstLocked(in: 2..<10) == 3..<8)
    }

    @Test("Locks and claims of many threads exclude each other and all balance out")
    func concurrency() {
        let locks = PageLocks()
        // How many use each page: locks count up, a claim takes it from 0 to -1.
        final class Users: Sendable {
            let pages: [64 of Atomic<Int>] = .init { _ in Atomic(0) }
        }
        let users = Users()
        let violations = SharedNumber()
        let lockers = (0..<3).map { seed in
            { @Sendable in
                var random = SeededGenerator(seed: UInt64(seed))
                for _ in 0..<4000 {
                    let start = Int.random(in: 0..<60, using: &random)
                    let range = start..<start + Int.random(in: 1...4, using: &random)
                    locks.lock(UInt64(range.lowerBound)..<UInt64(range.upperBound))
                    for page in range {
                        if users.pages[page].wrappingAdd(1, ordering: .relaxed).newValue < 1 { violations.add(1) }
                    }
                    for page in range { users.pages[page].wrappingSubtract(1, ordering: .relaxed) }
                    let error = refusal { try locks.unlock(UInt64(range.lowerBound)..<UInt64(range.upperBound)) }
                    if error != nil { violations.add(1) }
                }
            }
        }
        let claimer = { @Sendable in
            for round in 0..<4000 {
                let range = UInt64(round % 16) * 4..<UInt64(round % 16) * 4 + 4
                guard locks.claim(range) == nil else {
                    _ = locks.waitUntilUnlocked(range, timeout: .milliseconds(1))
                    continue
                }
                for page in range {
                    let (exchanged, _) = users.pages[Int(page)].compareExchange(
                        expected: 0, desired: -1, ordering: .relaxed)
                    if !exchanged { violations.add(1) }
                }
                for page in range { users.pages[Int(page)].store(0, ordering: .relaxed) }
                locks.release(range)
            }
        }
        TestThread.runTogether(lockers + [claimer])
        #expect(violations.value == 0)
        #expect(!locks.isLocked(0..<64))
    }
}
