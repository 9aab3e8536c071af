import CTryCopy
import Glibc
import TestSupport
import Testing

/// Each in a process of its own, whose handlers are its own.
@Suite("Installing", .timeLimit(.minutes(10)))
struct InstallTests {
    @Test("Without installing, a fault of an accessor kills")
    func notInstalled() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            let pages = try Pages(1)
            pages.protect(0..<1, PROT_NONE)
            _ = ctrycopy_load_1(pages.base)
        }
    }

    @Test("Installing again, from many threads too, changes nothing")
    func idempotent() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(1)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.base)
            try onThreads(8) { _ in
                for _ in 0..<20 { #expect(ctrycopy_install() == 0) }
            }
            pages.protect(0..<1, PROT_NONE)
            #expect(ctrycopy_load_1(pages.base).fault == .protected(pages.base))
            memset(pages.base, 7, 1)
            #expect(EarlierHandler.record.calls == 1)
        }
    }

    @Test("Put in front again, ours and a handler that passes on to ours do not chase each other")
    func inFrontAgain() async {
        await #expect(processExitsWith: .success) {
            let pages = try Pages(1)
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: pages.base)
            try #require(ctrycopy_install() == 0)
            try LaterHandler.install(for: SIGSEGV)
            pages.protect(0..<1, PROT_NONE)
            #expect(ctrycopy_load_1(pages.base).fault == .protected(pages.base))
            #expect(LaterHandler.callCount == 1)

            try #require(ctrycopy_install() == 0)
            #expect(ctrycopy_load_1(pages.base).fault == .protected(pages.base))
            #expect(LaterHandler.callCount == 1)
            #expect(EarlierHandler.record.calls == 0)

            memset(pages.base, 7, 1)
            #expect(LaterHandler.callCount == 2)
            #expect(EarlierHandler.record.calls == 1)
        }
    }

    @Test("A handler that puts ours back is no reason to install again")
    func putBack() async {
        await #expect(processExitsWith: .success) {
            signal(SIGSEGV, SIG_DFL)
            let pages = try Pages(1)
            pages.protect(0..<1, PROT_NONE)
            for _ in 0..<20 {
                try #require(ctrycopy_install() == 0)
                var ours = sigaction()
                try #require(sigaction(SIGSEGV, nil, &ours) == 0)
                signal(SIGSEGV, SIG_IGN)
                try #require(sigaction(SIGSEGV, &ours, nil) == 0)
                #expect(ctrycopy_load_1(pages.base).fault == .protected(pages.base))
            }
        }
    }

    @Test("Ours can be put in front eight times; then an error says so, and nothing has changed")
    func exhausted() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<8 {
                signal(SIGSEGV, SIG_IGN)
                #expect(ctrycopy_install() == 0)
            }
            signal(SIGSEGV, SIG_IGN)
            #expect(ctrycopy_install() == ENOSPC)
            #expect(raise(SIGSEGV) == 0)
            let pages = try Pages(ofFile: 1)
            try pages.truncate(to: 0)
            #expect(ctrycopy_load_1(pages.base).fault == .pastEndOfFile(pages.base))
        }
    }

    @Test("Stack and restart of an earlier handler stay what it asked for", arguments: [false, true])
    func keptFlags(_ isAsked: Bool) async {
        await #expect(processExitsWith: .success) { [isAsked] in
            let flags = isAsked ? SA_ONSTACK | SA_RESTART : 0
            try EarlierHandler.install(.detailed, for: SIGBUS, mending: nil, flags: Int(flags))
            try #require(ctrycopy_install() == 0)
            var ours = sigaction()
            try #require(sigaction(SIGBUS, nil, &ours) == 0)
            #expect(ours.sa_flags & (SA_ONSTACK | SA_RESTART) == flags)
        }
    }
}
