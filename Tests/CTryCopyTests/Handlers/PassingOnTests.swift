import CTryCopy
import Glibc
import Testing

/// Each in a process of its own, whose handlers are its own.
@Suite("Faults that are somebody else's", .timeLimit(.minutes(10)))
struct PassingOnTests {
    @Test("The earlier handler gets a fault of other code as it came, and none of the accessors'")
    func earlierHandler() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(2)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.page(0))
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<2, PROT_NONE)

            #expect(ctrycopy_load_4(pages.page(1)).fault == .protected(pages.page(1)))
            #expect(EarlierHandler.record.calls == 0)

            memset(pages.base + 5, 7, 1)
            #expect(EarlierHandler.record.calls == 1)
            #expect(EarlierHandler.record.signal == SIGSEGV)
            #expect(EarlierHandler.record.code == Int32(SEGV_ACCERR))
            #expect(EarlierHandler.record.address == UInt(bitPattern: pages.base + 5))
            #expect(pages.bytes[5] == 7)
        }
    }

    @Test("A handler of one argument is called too")
    func plainHandler() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(1)
            try EarlierHandler.install(.plain, for: SIGSEGV, mending: pages.base)
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<1, PROT_NONE)
            memset(pages.base, 7, 1)
            #expect(EarlierHandler.record.calls == 1)
            #expect(EarlierHandler.record.signal == SIGSEGV)
        }
    }

    @Test("The earlier handler runs under its mask, with its own signal blocked, and the mask is undone after it")
    func mask() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(1)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.base)
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<1, PROT_NONE)
            // Threads of a pool start with most signals blocked.
            var user = sigset_t()
            sigaddset(&user, SIGUSR1)
            pthread_sigmask(SIG_UNBLOCK, &user, nil)
            memset(pages.base, 7, 1)
            #expect(EarlierHandler.record.userSignalWasBlocked)
            #expect(EarlierHandler.record.ownSignalWasBlocked)
            var blocked = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &blocked)
            #expect(sigismember(&blocked, SIGUSR1) == 0 && sigismember(&blocked, SIGSEGV) == 0)
        }
    }

    @Test("SA_NODEFER leaves the earlier handler its own signal")
    func noDefer() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(1)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.base, flags: Int(SA_NODEFER))
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<1, PROT_NONE)
            memset(pages.base, 7, 1)
            #expect(!EarlierHandler.record.ownSignalWasBlocked)
        }
    }

    @Test("SA_RESETHAND is good for one call; the next fault kills")
    func resetHandler() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let pages = try Pages(1)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.base, flags: Int(SA_RESETHAND))
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<1, PROT_NONE)
            memset(pages.base, 7, 1)
            #expect(EarlierHandler.record.calls == 1)
            pages.protect(0..<1, PROT_NONE)
            memset(pages.base, 7, 1)
        }
    }

    @Test("By default a segmentation fault of other code kills with that signal")
    func defaultSegmentationFault() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            let pages = try Pages(1)
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<1, PROT_NONE)
            memset(pages.base, 7, 1)
        }
    }

    @Test("By default a bus error of other code kills with that signal")
    func defaultBusError() async {
        await #expect(processExitsWith: .signal(SIGBUS)) {
            signal(SIGBUS, SIG_DFL)
            let pages = try Pages(ofFile: 1)
            try #require(ctrycopy_install() == 0)
            try pages.truncate(to: 0)
            memset(pages.base, 7, 1)
        }
    }

    @Test("A fault is fatal though its signal is ignored, as without us")
    func ignoredFault() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_IGN)
            let pages = try Pages(1)
            try #require(ctrycopy_install() == 0)
            pages.protect(0..<1, PROT_NONE)
            memset(pages.base, 7, 1)
        }
    }

    @Test("A signal that is sent stays ignored where it was")
    func ignoredSignal() async {
        await #expect(processExitsWith: .success) {
            signal(SIGSEGV, SIG_IGN)
            try #require(ctrycopy_install() == 0)
            #expect(raise(SIGSEGV) == 0)
            #expect(kill(getpid(), SIGSEGV) == 0)
        }
    }

    @Test("A signal that is sent kills by default, though no instruction faults again")
    func sentSignal() async {
        await #expect(processExitsWith: .signal(SIGBUS)) {
            signal(SIGBUS, SIG_DFL)
            try #require(ctrycopy_install() == 0)
            raise(SIGBUS)
        }
    }

    @Test("A fault on the local side of a copy in is the caller's mistake and kills")
    func localDestination() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            let pages = try Pages(2)
            try #require(ctrycopy_install() == 0)
            pages.protect(1..<2, PROT_NONE)
            _ = ctrycopy_copy_in(pages.page(1), pages.page(0), 1000)
        }
    }

    @Test("A fault on the local side of a copy out is the caller's mistake and kills")
    func localSource() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            let pages = try Pages(2)
            try #require(ctrycopy_install() == 0)
            pages.protect(1..<2, PROT_NONE)
            _ = ctrycopy_copy_out(pages.page(0), pages.page(1), 8)
        }
    }

    @Test("A fault on the local side comes before the earlier handler, which may mend it")
    func localSideMended() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(4)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.page(3))
            try #require(ctrycopy_install() == 0)
            pages.scramble()
            pages.protect(3..<4, PROT_NONE)
            // The local operand starts on a good page and is met by the loop in the midst of the copy.
            let result = ctrycopy_copy_in(pages.page(3) - 1000, pages.page(0), 4000)
            #expect(result.found == 0)
            #expect(EarlierHandler.record.calls == 1)
            #expect(EarlierHandler.record.address == UInt(bitPattern: pages.page(3)))
            #expect(memcmp(pages.page(3) - 1000, pages.page(0), 4000) == 0)
        }
    }

    @Test("A local address that is not canonical is no fault of the guarded side")
    func localNotCanonical() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            let pages = try Pages(1)
            let nobodys = try #require(UnsafeMutableRawPointer(bitPattern: 0x8000_0000_0000_0000 as UInt))
            try #require(ctrycopy_install() == 0)
            _ = ctrycopy_copy_in(nobodys, pages.base, 64)
        }
    }
}
