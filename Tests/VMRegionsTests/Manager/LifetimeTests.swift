import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

@Suite("The end of regions")
struct LifetimeTests {
    @Test("A region goes by and by when its handle is dropped")
    func drop() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        guest.drop("ram")
        // Requests are taken in their order.
        let inspection = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect() }
        #expect(inspection.regions.isEmpty && inspection.view.isEmpty && inspection.orphans.isEmpty)
        #expect(guest.partitions[0].pages.isEmpty)
        #expect(try guest.complaints() == [])
    }

    @Test("A region whose pages are locked when its handle is dropped goes with a later request")
    func dropWhileLocked() throws {
        let guest = try TestGuest()
        try guest.add("locked", 16..<20, of: try guest.backing(.anonymous, "locked", pages: 4))
        try guest.add("more", 24..<28, of: try guest.backing(.memfd, "more", pages: 4))
        do {
            let lock = try guest.manager.memory.lock(GuestAddress(bytes(17)), count: 10, for: .writing)
            guest.drop("locked")
            guest.drop("more")
            let inspection = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect() }
            // One that has to wait does not keep the other.
            #expect(inspection.regions.map(\.name) == ["locked"] && inspection.orphans.map(\.name) == ["locked"])
            try guest.fill(16, with: 4)
            try guest.add("next", 40..<44)
            #expect(guest.partitions[0].pages.count == 4)
            #expect(lock.pieceCount == 1)
        }
        try guest.apply(RegionUpdate())
        let inspection = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect() }
        #expect(inspection.regions.map(\.name) == ["next"] && inspection.orphans.isEmpty)
        #expect(guest.partitions[0].pages.isEmpty)
        #expect(try guest.complaints() == [])
    }

    @Test("While a region that was dropped cannot go, others get their memory", arguments: BackingKind.allCases)
    func moreWhileLocked(_ kind: BackingKind) throws {
        let guest = try TestGuest()
        try guest.add("locked", 16..<20, of: try guest.backing(.anonymous, "locked", pages: 4))
        let lock = try guest.manager.memory.lock(GuestAddress(bytes(17)), count: 10, for: .writing)
        guest.drop("locked")
        let backing = try guest.backing(kind, "more", pages: 4)
        let definition = RegionDefinition(
            "whole", pages(24..<26), memory: [RegionDefinition.Memory(count: bytes(2), of: backing)],
            parameters: MapParameters(isWritable: false))
        let region = try guest.inTurn { manager throws(RegionManagerError) in try manager.addRegions([definition])[0] }
        try guest.add("in steps", 40..<42, of: backing, page: 2, MapParameters(isWritable: false))
        #expect(try guest.contents(25) == originalContents(of: "more", 1))
        #expect(try guest.contents(40) == originalContents(of: "more", 2))
        let hasOrphans = try guest.inTurn { manager throws(RegionManagerError) in manager.hasOrphans }
        #expect(hasOrphans && lock.pieceCount == 1 && region.belongs(to: guest.manager))
        #expect(try guest.complaints() == [])
    }

    @Test("A region that fails to go, and to come back, is waited for by the next request")
    func orphanHalfGone() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        // begin, unmap, the host; and then the first step back.
        guest.log.start(failing: [2, 3])
        guest.drop("ram")
        let inspection = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect() }
        #expect(inspection.orphans.map(\.name) == ["ram"] && inspection.unfinished != nil)
        // It comes back, and then fails to go once more in the same way: what follows is not built on that.
        guest.log.start(failing: [3, 4, 5])
        #expect(throws: RegionManagerError.self) { try guest.add("next", 16..<20) }
        guest.log.start()
        try guest.add("next", 16..<20)
        let names = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect().regions.map(\.name) }
        #expect(names == ["next"])
        #expect(try guest.complaints() == [])
    }

    @Test("A region that was dropped goes soon after its pages are unlocked, without any request")
    func retriedRemoval() throws {
        let guest = try TestGuest(retryingAfter: .milliseconds(1))
        try guest.add("locked", 16..<20, of: try guest.backing(.anonymous, "locked", pages: 4))
        do {
            let lock = try guest.manager.memory.lock(GuestAddress(bytes(17)), count: 10, for: .writing)
            guest.drop("locked")
            usleep(20_000)
            #expect(guest.partitions[0].pages.count == 4 && lock.pieceCount == 1)
        }
        let deadline = Deadline(.seconds(300))
        while !guest.partitions[0].pages.isEmpty, !deadline.hasPassed { usleep(100) }
        #expect(guest.partitions[0].pages.isEmpty)
        let inspection = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect() }
        #expect(inspection.regions.isEmpty && inspection.orphans.isEmpty)
        #expect(try guest.complaints() == [])
    }

    @Test("A manager goes while it tries again to remove a region")
    func goneWhileRetrying() throws {
        weak var manager: RegionManager?
        do {
            let guest = try TestGuest(retryingAfter: .milliseconds(1))
            try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
            guest.log.start { _ in true }
            guest.drop("ram")
            manager = guest.manager
        }
        let deadline = Deadline(.seconds(300))
        while manager != nil, !deadline.hasPassed { usleep(100) }
        #expect(manager == nil)
    }

    @Test("Tearing down waits until pages are unlocked")
    func teardownWaitsForLocks() async throws {
        let guest = try TestGuest()
        let region = try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        let isUnlocked = SharedNumber()
        let memory = guest.manager.memory
        let isLocked = SharedNumber()
        let thread = TestThread {
            guard let lock = try? memory.lock(GuestAddress(bytes(17)), count: 10, for: .reading) else { return }
            isLocked.value = 1
            usleep(30_000)
            // Devices see it until then.
            isUnlocked.value = memory.contains(GuestAddress(bytes(17)), count: 1) && lock.pieceCount == 1 ? 1 : 2
        }
        while isLocked.value == 0 { await Task.yield() }
        try await region.teardown(waitingUpTo: .seconds(10))
        #expect(isUnlocked.value == 1)
        thread.join()
        #expect(guest.partitions[0].pages.isEmpty && guest.manager.space.reservation.pieces.isEmpty)
        await #expect(throws: RegionManagerError.self) { try await region.map() }
    }

    @Test("Tearing down waits for a reader that has a snapshot of the memory map")
    func teardownWaitsForReaders() async throws {
        let guest = try TestGuest()
        let region = try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        let memory = guest.manager.memory
        let state = SharedNumber()
        let thread = TestThread {
            let snapshot = memory.map.memory()
            state.value = 1
            usleep(30_000)
            // It is there as long as the snapshot is held.
            let word = snapshot.withMap { map in
                map.region(containing: GuestAddress(bytes(17)))?.hostAddress?.load(as: UInt64.self)
            }
            state.value = word == originalContents(of: "ram", 0) ? 2 : 3
        }
        while state.value == 0 { await Task.yield() }
        try await region.teardown()
        #expect(state.value == 2)
        thread.join()
    }

    @Test("Tearing down that takes too long leaves all in force, and the handle good")
    func teardownTimesOut() async throws {
        let guest = try TestGuest()
        let region = try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        do {
            let lock = try guest.manager.memory.lock(GuestAddress(bytes(17)), count: 10, for: .writing)
            let before = try GuestState(guest)
            #expect(before.isAnythingLocked)
            do {
                try await region.teardown(waitingUpTo: .milliseconds(20))
                Issue.record("locked pages were taken away")
            } catch {
                #expect("\(error)".contains("its pages are locked, and were not unlocked within 0.02 seconds"))
            }
            #expect(try GuestState(guest) == before)
            #expect(lock.pieceCount == 1)
        }
        try await region.move(to: GuestAddress(bytes(40)))
        #expect(try guest.contents(41) == originalContents(of: "ram", 1))
        try await region.teardown()
        #expect(try guest.complaints() == [])
        #expect(guest.partitions[0].pages.isEmpty)
    }

    @Test("Locked pages that are waited for stay with devices and processors, and so does what is beside them")
    func waitingTakesNothingAway() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        let lock = try guest.manager.memory.lock(GuestAddress(bytes(17)), count: 10, for: .writing)
        guest.log.start()
        for change: (inout RegionUpdate) -> Void in [
            { $0.unmap(guest["ram"]) }, { $0.move(guest["ram"], to: GuestAddress(bytes(18))) },
            { $0.map(guest["ram"], MapParameters(isWritable: false)) },
        ] {
            guard case .failed(let failure)? = guest.failure(of: change), failure.reason is PagesLocked else {
                Issue.record("locked pages were taken away")
                return
            }
        }
        #expect(guest.log.events == [] && lock.pieceCount == 1)
    }

    @Test("Pages that are locked when they were just seen to be free are waited for with all in force")
    func lockedMeanwhile() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        try guest.inTurn { manager throws(RegionManagerError) in manager.lockTimeout = .seconds(10) }
        let (memory, state) = (guest.manager.memory, SharedNumber())
        let thread = TestThread {
            while state.value == 0 { usleep(100) }
            guard let lock = try? memory.lock(GuestAddress(bytes(17)), count: 10, for: .writing) else { return }
            state.value = 2
            usleep(50_000)
            if lock.pieceCount == 1, memory.contains(GuestAddress(bytes(16)), count: 1) { state.value = 3 }
        }
        guest.partitions[0].onCall { call in
            guard call == "begin", state.value == 0 else { return }
            state.value = 1
            while state.value == 1 { usleep(100) }
        }
        guest.log.start()
        try guest.apply { $0.unmap(guest["ram"]) }
        thread.join()
        #expect(state.value == 3)
        #expect(guest.log.events.prefix(4) == ["A begin", "publish ", "publish 16..<20", "A end"])
        #expect(guest.log.events.suffix(3) == ["A unmap 16..<20", "host unmap 16..<20", "A end"])
        #expect(try guest.complaints() == [])
    }

    @Test("A reader that does not end is waited for no longer than was asked, and holds nobody else up")
    func stuckReader() async throws {
        let guest = try TestGuest(retryingAfter: .milliseconds(1))
        let region = try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        try guest.add("dropped", 24..<28, of: try guest.backing(.memfd, "dropped", pages: 4))
        let (memory, state) = (guest.manager.memory, SharedNumber())
        let thread = TestThread {
            let snapshot = memory.map.memory()
            state.value = 1
            let deadline = Deadline(.seconds(600))
            while state.value == 1, !deadline.hasPassed { usleep(100) }
            if snapshot.withMap({ $0.regions.count }) != 2 { state.value = 3 }
        }
        while state.value == 0 { await Task.yield() }
        let before = try GuestState(guest)
        do {
            try await region.teardown(waitingUpTo: .milliseconds(20))
            Issue.record("memory was taken away that somebody reads")
        } catch {
            #expect("\(error)".contains("readers of an older memory map were not done within 0.02 seconds"))
        }
        #expect(try GuestState(guest) == before)
        guest.drop("dropped")
        try guest.add("next", 40..<44)
        let orphans = await guest.manager.inspect().orphans
        #expect(orphans.map(\.name) == ["dropped"])
        state.value = 2
        thread.join()
        #expect(state.value == 2)
        let deadline = Deadline(.seconds(300))
        while guest.partitions[0].pages.count > 4, !deadline.hasPassed { await Task.yield() }
        try await region.teardown()
        #expect(guest.partitions[0].pages.isEmpty)
        #expect(try guest.complaints() == [])
    }

    @Test("A thread that holds a snapshot itself cannot take memory away, and is told so")
    func ownSnapshot() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        let before = try GuestState(guest)
        do {
            let snapshot = guest.manager.memory.map.memory()
            #expect(throws: RegionManagerError.self) { try guest.apply { $0.unmap(guest["ram"]) } }
            #expect(snapshot.withMap { $0.regions.count } == 1)
        }
        #expect(try GuestState(guest) == before)
        try guest.apply { $0.unmap(guest["ram"]) }
    }

    @Test("Requests about regions that are gone, or another manager's, are errors")
    func strangers() throws {
        let guest = try TestGuest()
        let other = try TestGuest()
        let mine = try guest.add("mine", 16..<20)
        let theirs = try other.add("theirs", 16..<20)
        #expect(mine.id == theirs.id)
        var update = RegionUpdate()
        update.resize(theirs, to: bytes(8))
        guard case .foreignRegion(theirs.id) = guest.failure(of: update) else {
            Issue.record("another manager's region was taken for ours")
            return
        }
        try guest.apply { $0.remove(mine) }
        var more = RegionUpdate()
        more.map(mine)
        guard case .region(.noSuchRegion(mine.id)) = guest.failure(of: more) else {
            Issue.record("a region that is gone was changed")
            return
        }
    }

    @Test("With its manager a region is gone, the partitions lose its memory, and handles say so")
    func managerGone() async throws {
        let partition: FakePartition
        let region: RegionHandle
        let backing: RegionBacking
        do {
            let guest = try TestGuest()
            backing = try guest.backing(.memfd, "ram", pages: 4)
            region = try guest.add("ram", 16..<20, of: backing)
            partition = guest.partitions[0]
            #expect(partition.pages.count == 4)
        }
        // The thread of the queue may hold the manager for a moment.
        let deadline = Deadline(.seconds(300))
        while !partition.pages.isEmpty, !deadline.hasPassed { await Task.yield() }
        #expect(partition.pages.isEmpty && partition.complaints == [])
        do {
            try await region.map()
            Issue.record("there is no manager")
        } catch {
            guard case .managerGone = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("Memory that a partition does not let go of is never given back to the host", arguments: [false, true])
    func stubbornPartition(_ isStubborn: Bool) async throws {
        weak var space: GuestSpace?
        let partition: FakePartition
        do {
            let guest = try TestGuest()
            try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
            space = guest.manager.space
            partition = guest.partitions[0]
            guest.log.start { _ in isStubborn }
        }
        #expect(partition.pages.isEmpty != isStubborn)
        #expect((space == nil) != isStubborn)
    }

    @Test("What devices hold of the memory of a manager that is gone stays what it is")
    func memoryOutlivesManager() throws {
        let memory: GuestMemory
        do {
            let guest = try TestGuest()
            try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
            memory = guest.manager.memory
        }
        #expect(try memory.load(GuestAddress(bytes(17)), as: UInt64.self) == originalContents(of: "ram", 1))
    }
}
