import KVM
import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMMachine

/// Slots that no log is kept of.
@Suite("A tracker of memory that the guest cannot write") struct ReadOnlyMemoryTests {
    private static let rom = Set<UInt64>(70..<80)

    @Test("ROM has no log, is never asked for one, and has nothing to report", arguments: Tracking.all)
    func rom(_ tracking: Tracking) throws {
        let guest = try TrackedGuest(hasRings: tracking.hasRings)
        try guest.tracker.start(tracking.method, from: tracking.baseline)
        let first = try guest.harvest()
        // Whoever asks for all pages gets these, too.
        #expect(first == (tracking.baseline == .clean ? [] : Set(guest.visible.keys)))
        #expect(guest.vm.slots.filter { $0.flags.contains(.readOnly) }.map(\.range.frames) == [70..<80])
        #expect(guest.vm.slots.allSatisfy { $0.flags.contains(.readOnly) != $0.flags.contains(.logDirtyPages) })
        guest.write(Self.rom.union([69, 80]))
        #expect(try guest.harvest(70..<80).isEmpty)
        #expect(try guest.harvest() == [69, 80])
        guest.expectRunning("")
    }

    @Test("RAM that comes from under ROM, and goes under it, keeps what was written", arguments: Tracking.all)
    func uncovered(_ tracking: Tracking) throws {
        let guest = try TrackedGuest(hasRings: tracking.hasRings)
        try guest.tracker.start(tracking.method, from: tracking.baseline)
        _ = try guest.harvest()
        #expect(guest.change(2) { $0.isMapped = false } == nil)
        // With a start from all pages, these were not to be seen then.
        #expect(try guest.harvest().isEmpty)
        guest.write([75])
        #expect(guest.change(2) { $0.isMapped = true } == nil)
        #expect(try guest.harvest().isEmpty)
        #expect(guest.change(2) { $0.isMapped = false } == nil)
        #expect(try guest.harvest() == [75])
        guest.expectRunning("")
    }
}
