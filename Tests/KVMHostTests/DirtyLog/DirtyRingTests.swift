import CKVM
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace

@testable import KVM

/// The kernel's rings, and the reader of the module.
@Suite(
    "The kernel's dirty rings", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .timeLimit(.minutes(2)))
struct DirtyRingTests {
    private static let entryCount = DirtyRing.minimumEntryCount

    private static func enable(
        _ vm: borrowing VirtualMachine, _ system: borrowing KVMSystem, entryCount: Int = entryCount
    ) throws(KVMError) {
        try vm.enableDirtyRings(entryCount: entryCount, hasAcquireRelease: system.has(.dirtyRingAcquireRelease))
    }

    private static func batch(_ count: Int) -> DirtyRing.Batch {
        var batch = DirtyRing.Batch()
        batch.pageCount = count
        batch.entryCount = count
        return batch
    }

    @Test("A ring has the pages that were written, once it is asked, and again once it was reset", .needsRings)
    func taking() throws {
        let logged = try LoggedVM { vm, system in try Self.enable(vm, system) }
        var ring = try logged.vcpu.mapDirtyRing(entryCount: Self.entryCount)
        var ranges: [MemoryRange] = []
        for _ in 0..<3 {
            let nothing = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
            #expect(nothing == Self.batch(0) && ranges.isEmpty)
            try logged.run()
            var batch = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
            #expect(batch == Self.batch(3))
            #expect(ranges.map(\.frames) == [2..<3, 66..<68])
            // Until the reset they can be written without being logged; code that the host emulates is logged all the same.
            try logged.run()
            let more = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
            batch.entryCount += more.entryCount
            #expect(more.isComplete && Set(ranges.flatMap { Array($0.frames) }) == LoggedVM.written)
            let isReset = try logged.vm.resetDirtyRings(count: batch.entryCount).isComplete
            #expect(isReset)
            ranges = []
        }
    }

    @Test("Pages of a slot that is gone are left out, but counted and reset", .needsRings)
    func slotGone() throws {
        let logged = try LoggedVM { vm, system in try Self.enable(vm, system) }
        var ring = try logged.vcpu.mapDirtyRing(entryCount: Self.entryCount)
        try logged.run()
        try logged.vm.removeMemorySlot(logged.slot)
        var ranges: [MemoryRange] = []
        let batch = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
        #expect(batch == Self.batch(3))
        #expect(ranges.isEmpty)
        let isReset = try logged.vm.resetDirtyRings(count: 3).isComplete
        #expect(isReset)
        // The slot comes again, with other pages under the same number, and the vCPU goes on.
        _ = try logged.vm.addMemorySlot(logged.memory.slot(flags: .logDirtyPages))
        try logged.run()
        _ = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
        #expect(ranges.map(\.frames) == [2..<3, 66..<68])
    }

    @Test("A vCPU that writes more pages than its ring can have exits, and goes on once that was emptied", .needsRings)
    func full() throws {
        let pageCount: UInt64 = 4096
        // again: mov byte es:[ebx], 1; add ebx, 0x1000; cmp ebx, 0x1000000; jb again; hlt
        let logged = try LoggedVM(
            pageCount: pageCount,
            code: [
                0x26, 0x67, 0xc6, 0x03, 0x01, 0x66, 0x81, 0xc3, 0x00, 0x10, 0x00, 0x00, 0x66, 0x81, 0xfb, 0x00, 0x00,
                0x00, 0x01, 0x72, 0xeb, 0xf4,
            ]
        ) { vm, system in try Self.enable(vm, system) }
        var special = try logged.vcpu.specialRegisters()
        special.es.base = 0
        special.es.limit = 0xffff_ffff
        special.es.g = 1
        try logged.vcpu.setSpecialRegisters(special)
        var registers = try logged.vcpu.generalRegisters()
        registers.rbx = 2 << 12
        try logged.vcpu.setGeneralRegisters(registers)
        var ring = try logged.vcpu.mapDirtyRing(entryCount: Self.entryCount)
        var ranges: [MemoryRange] = []
        var exitCount = 0
        var isComplete = true
        var isOver = false
        while !isOver, exitCount < 100 {
            switch try logged.vcpu.run() {
            case .dirtyRingFull: exitCount += 1
            case .halt: isOver = true
            case .interrupted: continue
            case let other:
                Issue.record("\(other)")
                return
            }
            let batch = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
            #expect(batch.pageCount > 0 && batch.pageCount <= Self.entryCount)
            if !batch.isComplete { isComplete = false }
            let isReset = try logged.vm.resetDirtyRings(count: batch.entryCount).isComplete
            #expect(isReset)
        }
        #expect(isOver && exitCount > 0)
        let reported = Set(ranges.flatMap { Array($0.frames) })
        #expect(reported.isSubset(of: Set(0..<pageCount)))
        // Some hosts let a ring run over for code that they emulate, which is then said.
        #expect(!isComplete || reported.isSuperset(of: 2..<pageCount))
    }

    @Test("Sizes that the kernel cannot have are refused, and the VM can still have rings", .needsRings)
    func sizes() throws {
        let system = try KVMSystem()
        let vm = try system.makeVirtualMachine()
        for size in [0, -1, -1024, .min, 1, 2, 32, 1000, Self.entryCount + 1, 3 * Self.entryCount] {
            let failure = CallFailure { () throws(KVMError) in try Self.enable(vm, system, entryCount: size) }
            #expect(failure == CallFailure(.enableCapability, .invalidArgument), "\(size) entries")
        }
        let tooMany = 2 * max(system.maximumDirtyRingEntryCount, DirtyRing.maximumEntryCount)
        for size in [tooMany, 1 << 40, 1 << 60, .max] {
            let failure = CallFailure { () throws(KVMError) in try Self.enable(vm, system, entryCount: size) }
            #expect(failure?.call == .enableCapability, "\(size) entries")
            #expect(failure?.errno == .argListTooLong || failure?.errno == .invalidArgument, "\(size) entries")
        }
        try Self.enable(vm, system)
        // Once and for all.
        let again = CallFailure { () throws(KVMError) in try Self.enable(vm, system) }
        #expect(again == CallFailure(.enableCapability, .invalidArgument))
    }

    @Test("A VM that has a vCPU cannot have rings any more", .needsRings)
    func tooLate() throws {
        let system = try KVMSystem()
        let logged = try LoggedVM()
        let failure = CallFailure { () throws(KVMError) in try Self.enable(logged.vm, system) }
        #expect(failure == CallFailure(.enableCapability, .invalidArgument))
    }

    @Test("A VM with rings has no bitmaps, and one without has no rings to reset", .needsRings)
    func exclusion() throws {
        let rings = try LoggedVM { vm, system in try Self.enable(vm, system) }
        #expect(
            CallFailure { () throws(KVMError) in _ = try rings.logged() }
                == CallFailure(.getDirtyLog, .noSuchAddressOrDevice))
        #expect(
            CallFailure { () throws(KVMError) in try rings.clear([~0]) }
                == CallFailure(.clearDirtyLog, .noSuchAddressOrDevice))
        let bitmaps = try LoggedVM()
        #expect(
            CallFailure { () throws(KVMError) in _ = try bitmaps.vm.resetDirtyRings(count: 1).isComplete }
                == CallFailure(.resetDirtyRings, .invalidArgument))
    }

    @Test("Entries that are to be reset and are not there are told", .needsRings)
    func resettingNothing() throws {
        let logged = try LoggedVM { vm, system in try Self.enable(vm, system) }
        var ring = try logged.vcpu.mapDirtyRing(entryCount: Self.entryCount)
        let nothing = try logged.vm.resetDirtyRings(count: 0).isComplete
        let missing = try logged.vm.resetDirtyRings(count: 1).isComplete
        #expect(nothing && !missing)
        try logged.run()
        var ranges: [MemoryRange] = []
        let batch = logged.vm.takeDirtyPages(from: &ring, into: &ranges)
        let tooFew = try logged.vm.resetDirtyRings(count: batch.entryCount + 1).isComplete
        #expect(!tooFew)
    }
}
