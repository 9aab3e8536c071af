import KVM
import Testing
import VMAddressSpace
import VMDirtyTracking
import VMRegions

@testable import VMMachine

/// Every call of the kernel fails in turn.
@Suite("A tracker whose calls fail") struct DirtyTrackerFailureTests {
    /// Fails where `body` fails, telling which call it was.
    private func failure(_ body: () throws(DirtyTrackingError) -> Void) -> DirtyTrackingError? {
        do throws(DirtyTrackingError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    /// A guest that is tracked, with nothing to report.
    private func started(_ tracking: Tracking) throws -> TrackedGuest {
        let guest = try TrackedGuest(hasRings: tracking.hasRings)
        try guest.tracker.start(tracking.method, from: tracking.baseline)
        _ = try guest.harvest()
        return guest
    }

    @Test("If starting fails, nothing is tracked, and it can be started then", arguments: Tracking.all)
    func starting(_ tracking: Tracking) throws {
        for call in 0... {
            let guest = try TrackedGuest(hasRings: tracking.hasRings)
            let before = guest.vm.slots
            guest.vm.fail(call..<call + 1)
            let error = failure { () throws(DirtyTrackingError) in
                try guest.tracker.start(tracking.method, from: tracking.baseline)
            }
            guest.vm.fail(0..<0)
            guest.expectRunning("call \(call)")
            if let error {
                #expect("\(error)".contains("ENOMEM") && "\(error)".contains("call \(call)"))
                #expect(guest.tracker.method == nil && guest.vm.slots == before)
                try guest.tracker.start(tracking.method, from: tracking.baseline)
            }
            let expected = tracking.baseline == .clean ? [] : Set(guest.visible.keys)
            #expect(try guest.harvest() == expected, "call \(call)")
            guest.write([0, 63, 64, 199, 300])
            #expect(try guest.harvest() == [0, 63, 64, 199, 300], "call \(call)")
            guest.expectRunning("call \(call)")
            guard error != nil else {
                #expect(call >= 3, "there are three slots of RAM")
                return
            }
        }
    }

    @Test(
        "If a harvest fails, the round is empty, and the next has all pages",
        arguments: Tracking.all, [nil, 60..<130, 190..<300] as [Range<UInt64>?])
    func harvesting(_ tracking: Tracking, _ range: Range<UInt64>?) throws {
        for call in 0... {
            let guest = try started(tracking)
            var written: Set<UInt64> = [0, 63, 64, 69, 127, 128, 199, 260, 330]
            guest.write(written)
            try guest.manager.memory.store(1 as UInt8, at: GuestAddress(5 << 12))
            written.insert(5)
            let before = guest.vm.slots
            guest.vm.fail(call..<call + 1)
            var round = DirtyRound()
            var error: DirtyTrackingError?
            do throws(DirtyTrackingError) {
                try guest.tracker.harvest(range.map(pages), into: &round)
            } catch let failure {
                error = failure
            }
            guest.vm.fail(0..<0)
            guest.expectRunning("call \(call)")
            #expect(guest.tracker.method == tracking.method && guest.vm.slots == before)
            let (first, count) = (round.frames(), round.pageCount)
            #expect(count == UInt64(first.count))
            if let error {
                #expect("\(error)".contains("ENOMEM") && "\(error)".contains("call \(call)"))
                #expect(first.isEmpty)
            } else {
                #expect(first == written.filter { range?.contains($0) ?? true })
            }
            guest.write([1, 64, 261])
            let second = try guest.harvest(range)
            let third = try guest.harvest()
            written.formUnion([1, 64, 261])
            #expect(first.union(second).union(third) == written, "call \(call)")
            #expect(third.allSatisfy { !(range?.contains($0) ?? true) }, "call \(call)")
            #expect(try guest.harvest().isEmpty)
            guest.expectRunning("call \(call)")
            guard error != nil else {
                #expect(call > 0)
                return
            }
        }
    }

    @Test("If stopping fails, tracking goes on, and nothing is lost", arguments: Tracking.all)
    func stopping(_ tracking: Tracking) throws {
        for call in 0... {
            let guest = try started(tracking)
            guest.write([0, 63, 199, 260])
            let before = guest.vm.slots
            guest.vm.fail(call..<call + 1)
            let error = failure { () throws(DirtyTrackingError) in try guest.tracker.stop() }
            guest.vm.fail(0..<0)
            guest.expectRunning("call \(call)")
            guard let error else {
                #expect(call >= 3 && guest.tracker.method == nil)
                #expect(guest.vm.slots.allSatisfy { !$0.flags.contains(.logDirtyPages) })
                // The bitmaps have it.
                #expect([0, 63, 199, 260].allSatisfy { guest.isMarked($0) } && !guest.isMarked(1))
                return
            }
            #expect("\(error)".contains("ENOMEM") && "\(error)".contains("call \(call)"))
            #expect(guest.tracker.method == tracking.method && guest.vm.slots == before)
            guest.write([1, 63, 330])
            #expect(try guest.harvest() == [0, 1, 63, 199, 260, 330], "call \(call)")
        }
    }

    @Test(
        "Where undoing a start fails too, the guest runs, and tracking can be started by any method",
        arguments: Tracking.all, DirtyTrackingMethod.allCases)
    func failingUndoOfStart(_ tracking: Tracking, _ second: DirtyTrackingMethod) throws {
        guard tracking.hasRings == (second == .ring) else { return }
        for call in 0... {
            let guest = try TrackedGuest(hasRings: tracking.hasRings)
            guest.vm.fail(call..<1000)
            let error = failure { () throws(DirtyTrackingError) in
                try guest.tracker.start(tracking.method, from: tracking.baseline)
            }
            guard let error else { break }
            #expect(guest.tracker.method == nil, "call \(call): \(error)")
            guest.expectRunning("call \(call): \(error)")
            guest.write([1, 63, 330])
            guest.vm.fail(0..<0)
            try guest.tracker.start(second)
            guest.expectRunning("call \(call): \(error)")
            #expect(try guest.harvest().isEmpty, "call \(call): \(error)")
            guest.write([2, 63, 300])
            #expect(try guest.harvest() == [2, 63, 300], "call \(call): \(error)")
            try guest.tracker.stop()
            guest.expectRunning("call \(call): \(error)")
        }
    }

    /// What is done while no call works from one on.
    enum Operation: CaseIterable {
        case harvest, stop, lostPages
    }

    @Test(
        "Where undoing fails too, the guest runs again after the next harvest, and that has all it wrote",
        arguments: Tracking.all, Operation.allCases)
    func failingUndo(_ tracking: Tracking, _ operation: Operation) throws {
        // Only rings lose pages.
        guard operation != .lostPages || tracking.hasRings else { return }
        for call in 0... {
            let guest = try started(tracking)
            guest.write([0, 63, 199, 260])
            if operation == .lostPages { guest.vm.overrunRing(of: 0) }
            // Nothing works from then on.
            guest.vm.fail(call..<1000)
            let error = failure { () throws(DirtyTrackingError) in
                if operation == .stop { try guest.tracker.stop() } else { _ = try guest.harvest() }
            }
            guard let error else { break }
            #expect(guest.tracker.method == tracking.method, "call \(call): \(error)")
            var written: Set<UInt64> = [0, 63, 199, 260]
            if !guest.vm.isQuiesced {
                guest.write([1, 63, 330])
                written.formUnion([1, 63, 330])
            }
            guest.vm.fail(0..<0)
            let reported = try guest.harvest()
            #expect(reported.isSuperset(of: written), "call \(call): \(error)")
            guest.expectRunning("call \(call): \(error)")
            #expect(guest.vm.slots.allSatisfy { $0 == $0.loggingDirtyPages(true) }, "call \(call): \(error)")
            guest.write([2, 63, 300])
            #expect(try guest.harvest() == [2, 63, 300], "call \(call): \(error)")
            guest.expectRunning("call \(call): \(error)")
        }
    }
}
