import KVM
import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMMachine

@Suite("A tracker by rings") struct DirtyTrackerRingTests {
    private func started() throws -> TrackedGuest {
        let guest = try TrackedGuest(hasRings: true)
        try guest.tracker.start()
        #expect(guest.tracker.method == .ring)
        return guest
    }

    @Test("What a vCPU's full ring had is reported, together with what is in the rings, and counted by vCPU")
    func fullRings() throws {
        let guest = try started()
        guest.write([1, 2, 3], vcpu: 0)
        guest.write([3, 4, 300], vcpu: 1)
        try guest.partition.drainDirtyRing(of: 0)
        guest.write([2], vcpu: 1)
        #expect(try guest.harvest() == [1, 2, 3, 4, 300])
        #expect(guest.tracker.dirtyPageCounts == [3, 3])
        #expect(try guest.harvest().isEmpty)
        guest.write([2], vcpu: 0)
        try guest.partition.drainDirtyRing(of: 0)
        #expect(try guest.harvest(0..<2).isEmpty)
        #expect(try guest.harvest() == [2])
        #expect(guest.tracker.dirtyPageCounts == [4, 3])
        guest.expectRunning("")
    }

    @Test(
        "A ring that ran over leads to all pages being reported, and to all being logged anew", arguments: [nil, 0, 1])
    func lostPages(_ drained: Int?) throws {
        let guest = try started()
        guest.write([1, 2, 3], vcpu: 0)
        guest.write([5], vcpu: 1)
        guest.vm.overrunRing(of: 0)
        if let drained { try guest.partition.drainDirtyRing(of: drained) }
        // Such as nobody hears of.
        guest.write([2], vcpu: 1)
        #expect(try guest.harvest().isSuperset(of: guest.ramFrames))
        guest.write([1, 2], vcpu: 1)
        guest.write([3, 300], vcpu: 0)
        #expect(try guest.harvest() == [1, 2, 3, 300])
        #expect(try guest.harvest().isEmpty)
        #expect(!guest.vm.hasLostDirtyPages)
        guest.expectRunning("")
    }

    @Test("All pages of a range are reported after a loss, then all others")
    func lostPagesByRange() throws {
        let guest = try started()
        guest.write([1, 199], vcpu: 0)
        guest.vm.overrunRing(of: 0)
        let low = Set<UInt64>(0..<70)
        #expect(try guest.harvest(0..<70) == low)
        guest.write([1, 199])
        #expect(try guest.harvest(0..<70) == [1])
        let rest = try guest.harvest()
        #expect(rest.isSuperset(of: guest.ramFrames.subtracting(low)) && rest.isDisjoint(with: low))
        #expect(try guest.harvest().isEmpty)
    }

    @Test("Memory that goes after a loss has all pages marked when it comes back")
    func lostPagesOfMemoryThatGoes() throws {
        let guest = try started()
        guest.write([261, 262], vcpu: 1)
        guest.vm.overrunRing(of: 1)
        #expect(guest.change(1) { $0.isMapped = false } == nil)
        _ = try guest.harvest()
        #expect(guest.change(1) { $0.isMapped = true } == nil)
        #expect(try guest.harvest().isSuperset(of: [261, 262]))
        guest.write([261])
        #expect(try guest.harvest() == [261])
        guest.expectRunning("")
    }

    @Test("A loss before tracking was stopped does not matter when it begins again")
    func startingAnew() throws {
        let guest = try started()
        guest.write([1, 2], vcpu: 0)
        guest.vm.overrunRing(of: 0)
        try guest.tracker.stop()
        #expect([1, 2].allSatisfy { guest.isMarked($0) })
        try guest.tracker.start()
        guest.write([2, 3], vcpu: 1)
        #expect(try guest.harvest() == [2, 3])
        guest.expectRunning("")
    }
}
