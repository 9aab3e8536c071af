import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

/// Every step of every change in a table, made to fail.
@Suite("A change of a region manager that fails")
struct FailureTests {
    @Test("Whichever step fails, all is as before, and the change can be made then", arguments: Scenario.all, Cast.all)
    func anyStep(_ scenario: Scenario, _ cast: Cast) throws {
        let guest = try TestGuest(partitions: cast.partitionCount)
        let update = try scenario.prepare(guest, cast.kind)
        let before = try GuestState(guest)
        #expect(!before.isUnfinished && !before.isAnythingLocked)
        var failing = 0
        while true {
            guest.log.start(failing: [failing])
            guard let error = guest.failure(of: update) else { break }
            guard case .failed = error else {
                Issue.record("\(error)")
                return
            }
            #expect(try GuestState(guest) == before, "after failing at step \(failing): \(guest.log.events)")
            #expect(try guest.complaints() == [], "after failing at step \(failing): \(guest.log.events)")
            failing += 1
        }
        // The number of steps of a change that does not fail.
        #expect(guest.log.stepCount == failing && failing > 0)
        #expect(try guest.complaints() == [])
        let after = try GuestState(guest)
        #expect(after != before)
        #expect(after.contents == before.contents && after.dirty == before.dirty)
    }

    @Test(
        "Whichever step of going back fails, that is done first thing later on", arguments: Scenario.all, Cast.all)
    func anyStepBack(_ scenario: Scenario, _ cast: Cast) throws {
        let guest = try TestGuest(partitions: cast.partitionCount)
        let update = try scenario.prepare(guest, cast.kind)
        let before = try GuestState(guest)
        var failing = 0
        var trials = 0
        while try fail(update, guest, at: failing, before, &trials) { failing += 1 }
        // The only step, and the first of several, leave little to go back.
        #expect(trials > 0 || failing <= 2)
        #expect(try guest.complaints() == [])
        #expect(try GuestState(guest) != before)
    }

    @Test("What could not be taken back is soon, without any request", arguments: [1, 8])
    func retriedUnwinding(_ failureCount: Int) throws {
        let guest = try TestGuest(retryingAfter: .microseconds(100))
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        let before = try GuestState(guest)
        // begin, unmap, the host; and then the first step back, several times.
        guest.log.start(failing: Set(2...2 + failureCount))
        guard case .notRestored? = guest.failure(of: { $0.move(guest["ram"], to: GuestAddress(bytes(30))) }) else {
            Issue.record("the change did not fail as it was to")
            return
        }
        let deadline = Deadline(.seconds(300))
        // The processors run again.
        while guest.log.events.last != "A end", !deadline.hasPassed { usleep(100) }
        #expect(guest.log.stepCount == 4 + failureCount)
        #expect(try GuestState(guest) == before)
        #expect(try guest.complaints() == [])
    }

    /// Where the kernel could move only some pages, and not move them back: as if it had been so, a page is away before the
    /// step, and perhaps cannot come back at once.
    @Test("A step on the host that is left half done is taken back", arguments: [false, true], [false, true])
    func halfDoneStep(isMapped: Bool, comesBackLater: Bool) throws {
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(8))
        let space = Monitor<GuestSpace?>(nil)
        let isSabotaging = SharedNumber()
        let manager = try RegionManager(addressWidth: 32, policy: .layered) { (step) throws(HostMemoryError) in
            guard isSabotaging.value == 1, let space = space.withLock(\.self) else { return }
            isSabotaging.value = 2
            let (seen, parking) = (space.reservation, try ram.parkingPlace())
            if isMapped {
                try seen.move(offset: bytes(18), count: bytes(2), to: parking, at: bytes(2))
                if comesBackLater { try parking.lock(offset: bytes(2), count: 1) }
            } else {
                try parking.move(offset: bytes(2), count: bytes(2), to: seen, at: bytes(18))
                if comesBackLater { try seen.lock(offset: bytes(18), count: 1) }
            }
        }
        space.withLock { $0 = manager.space }
        let region = try manager.withTurn { manager throws(RegionManagerError) in
            manager.retries.firstDelay = .seconds(3600)
            let memory = RegionDefinition.Memory(count: bytes(8), of: ram)
            return try manager.addRegions([
                RegionDefinition("ram", pages(16..<24), memory: [memory], parameters: MapParameters())
            ])[0]
        }
        for frame in 16..<24 as Range<UInt64> { try manager.memory.store(frame, at: GuestAddress(bytes(frame))) }
        var hiding = RegionUpdate()
        hiding.unmap(region)
        var showing = RegionUpdate()
        showing.map(region)
        let (hide, show) = (hiding, showing)
        if !isMapped { try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(hide) } }
        isSabotaging.value = 1
        let error = #expect(throws: RegionManagerError.self) {
            try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(isMapped ? hide : show) }
        }
        switch error {
        case .failed: #expect(!comesBackLater)
        case .notRestored: #expect(comesBackLater)
        default: Issue.record("\(String(describing: error))")
        }
        if comesBackLater {
            let place = isMapped ? try ram.parkingPlace() : manager.space.reservation
            try place.unlock(offset: bytes(isMapped ? 2 : 18), count: 1)
        }
        try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(RegionUpdate()) }
        let parked = ram.parkedRuns(in: 0..<bytes(8))
        #expect(isMapped ? parked.isEmpty : parked == [0..<bytes(8)])
        #expect(manager.space.reservation.pieces.isEmpty != isMapped)
        try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(show) }
        for frame in 16..<24 as Range<UInt64> {
            #expect(try manager.memory.load(GuestAddress(bytes(frame)), as: UInt64.self) == frame)
        }
        space.withLock { $0 = nil }
    }

    /// Makes a step fail, and each step of going back.
    /// - Returns: false where there is no such step: the change is made then.
    private func fail(
        _ update: RegionUpdate, _ guest: TestGuest, at failing: Int, _ before: GuestState, _ trials: inout Int
    ) throws -> Bool {
        var failingBack = failing + 1
        while true {
            guest.log.start(failing: [failing, failingBack])
            guard let error = guest.failure(of: update) else { return false }
            guard case .notRestored(let failure, _) = error else {
                // There were fewer steps back than that.
                #expect(try GuestState(guest) == before)
                return true
            }
            if failingBack == failing + 1 { try refuseEverything(guest, failure) }
            guest.log.start()
            // A request that changes nothing by itself.
            try guest.apply(RegionUpdate())
            #expect(try GuestState(guest) == before, "failed at \(failing) and \(failingBack)")
            #expect(try guest.complaints() == [], "failed at \(failing) and \(failingBack)")
            trials += 1
            failingBack += 1
        }
    }

    /// While going back keeps failing, all requests fail, and say the same.
    private func refuseEverything(_ guest: TestGuest, _ failure: ChangeFailure) throws {
        try refuse(guest, failure) { manager throws(RegionManagerError) in try manager.apply(RegionUpdate()) }
        try refuse(guest, failure) { manager throws(RegionManagerError) in
            _ = try manager.addRegion("more", pages(500..<501))
        }
        let late = FakePartition("late", guest.log)
        try refuse(guest, failure) { manager throws(RegionManagerError) in try manager.addPartition(late) }
        try refuse(guest, failure) { manager throws(RegionManagerError) in try manager.removePartition(late) }
        let unfinished = try guest.inTurn { manager throws(RegionManagerError) in manager.inspect().unfinished }
        #expect(unfinished?.failure == "\(failure)")
    }

    private func refuse(
        _ guest: TestGuest, _ failure: ChangeFailure,
        _ request: @Sendable (isolated RegionManager) throws(RegionManagerError) -> Void
    ) throws {
        guest.log.start(failing: [0])
        let error = #expect(throws: RegionManagerError.self) { try guest.inTurn(request) }
        guard case .notRestored(let first, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect("\(first)" == "\(failure)")
        #expect(guest.log.stepCount == 1)
    }
}
