import KVM
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace

/// The kernel's bitmaps, of a slot of 100 pages.
@Suite(
    "The kernel's dirty log", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .timeLimit(.minutes(2)))
struct DirtyLogTests {
    private static func manual(_ flags: MemorySlot.Flags = .logDirtyPages) throws -> LoggedVM {
        try LoggedVM(flags: flags) { vm, _ in try vm.setDirtyLogProtection(.manual) }
    }

    @Test("Reading an automatic log starts it anew")
    func automatic() throws {
        let logged = try LoggedVM()
        #expect(try logged.logged().isEmpty)
        for _ in 0..<2 {
            try logged.run()
            #expect(try logged.logged() == LoggedVM.written)
            #expect(try logged.logged().isEmpty)
        }
    }

    @Test("An automatic log can be cleared before it is read")
    func clearingAutomatic() throws {
        let logged = try LoggedVM()
        try logged.run()
        try logged.clear([~0])
        #expect(try logged.logged() == [66, 67])
        try logged.run()
        #expect(try logged.logged() == LoggedVM.written)
    }

    @Test(
        "Reading a manual log only looks, and clearing starts it anew by range",
        .needs(.manualDirtyLogProtect, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"))
    func clearing() throws {
        let logged = try Self.manual()
        #expect(try logged.logged().isEmpty)
        try logged.run()
        for _ in 0..<3 { #expect(try logged.logged() == LoggedVM.written) }
        try logged.clear([1 << 2], from: 64)
        #expect(try logged.logged() == [2, 67])
        // What is not in the log, or past the words, makes no difference.
        try logged.clear([1 << 7])
        try logged.clear([])
        #expect(try logged.logged() == [2, 67])
        try logged.clear([1 << 2])
        #expect(try logged.logged() == [67])
        try logged.run()
        #expect(try logged.logged() == LoggedVM.written)
        // More words, and bits, than the slot has pages.
        try logged.clear([~0, ~0, ~0])
        #expect(try logged.logged().isEmpty)
        try logged.run()
        #expect(try logged.logged() == LoggedVM.written)
        try logged.clear([~0], from: 64)
        #expect(try logged.logged() == [2])
    }

    @Test(
        "What makes no sense to clear or read is refused, and the log keeps what it has",
        .needs(.manualDirtyLogProtect, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"))
    func misuse() throws {
        let logged = try Self.manual()
        try logged.run()
        for firstPage in [1, 63, 65, 100, 128, 1 << 40, .max] as [UInt64] {
            let failure = CallFailure { () throws(KVMError) in try logged.clear([~0], from: firstPage) }
            #expect(failure == CallFailure(.clearDirtyLog, .invalidArgument), "from page \(firstPage)")
        }
        let missing = try logged.vm.addMemorySlot(
            MemorySlot(range: MemoryRange(frames: 200..<300), hostAddress: logged.memory.slot().hostAddress))
        try logged.vm.removeMemorySlot(missing)
        #expect(
            CallFailure { () throws(KVMError) in try logged.clear(missing, [~0]) }
                == CallFailure(.clearDirtyLog, .noSuchFileOrDirectory))
        #expect(
            CallFailure { () throws(KVMError) in _ = try logged.logged(missing, wordCount: 2) }
                == CallFailure(.getDirtyLog, .noSuchFileOrDirectory))
        #expect(
            CallFailure { () throws(KVMError) in _ = try logged.logged(logged.slot, wordCount: 1) }
                == CallFailure(.getDirtyLog, .invalidArgument))
        #expect(try logged.logged() == LoggedVM.written)
    }

    @Test("A slot without a log has none to read or clear")
    func withoutLog() throws {
        let logged = try LoggedVM(flags: [])
        try logged.run()
        #expect(
            CallFailure { () throws(KVMError) in _ = try logged.logged() }
                == CallFailure(.getDirtyLog, .noSuchFileOrDirectory))
        #expect(
            CallFailure { () throws(KVMError) in try logged.clear([~0]) }
                == CallFailure(.clearDirtyLog, .noSuchFileOrDirectory))
        // It begins with what is written from now on.
        try logged.vm.setMemorySlotFlags(logged.slot, .logDirtyPages)
        #expect(try logged.logged().isEmpty)
        try logged.run()
        #expect(try logged.logged() == LoggedVM.written)
    }

    @Test(
        "A log that is initially set has every page, and of those that are cleared, the ones written since",
        .needs(.manualDirtyLogProtect, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"), arguments: [false, true])
    func initiallySet(_ comesWithLog: Bool) throws {
        let logged = try LoggedVM(flags: comesWithLog ? .logDirtyPages : []) { vm, _ in
            try vm.setDirtyLogProtection(.manualInitiallySet)
        }
        if !comesWithLog { try logged.vm.setMemorySlotFlags(logged.slot, .logDirtyPages) }
        #expect(try logged.logged() == Set(0..<100))
        try logged.clear([~0], from: 64)
        #expect(try logged.logged() == Set(0..<64))
        try logged.run()
        #expect(try logged.logged() == Set(0..<64).union([66, 67]))
        try logged.clear([~0, ~0])
        #expect(try logged.logged().isEmpty)
        try logged.run()
        #expect(try logged.logged() == LoggedVM.written)
        // One that begins after the choice was made otherwise begins clean.
        try logged.vm.setDirtyLogProtection(.manual)
        try logged.vm.setMemorySlotFlags(logged.slot, [])
        try logged.vm.setMemorySlotFlags(logged.slot, .logDirtyPages)
        #expect(try logged.logged().isEmpty)
    }
}
