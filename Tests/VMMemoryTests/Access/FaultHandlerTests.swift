import Glibc
import SystemPackage
import Testing
import VMAddressSpace
import VMMemory

/// Each in a process of its own, whose handlers are its own.
@Suite("Handlers of faults", .timeLimit(.minutes(10)))
struct FaultHandlerTests {
    @Test("A handler that came later is behind them once they are installed again")
    func again() async {
        await #expect(processExitsWith: .success) {
            let space = try SparseMapping(byteCount: 0x1000)
            let memory = try AccessMemory.make([AccessMemory.region(0, space)])
            signal(SIGSEGV) { _ in _exit(1) }
            try GuestMemory.installFaultHandlers()
            let error = try AccessMemory.failure { _ = try memory.load(GuestAddress(0), as: UInt8.self) }
            #expect(error.kind == .fault(.protected))
        }
    }

    @Test("A handler that came later has the faults, until they are installed again")
    func displaced() async {
        await #expect(processExitsWith: .exitCode(3)) {
            let space = try SparseMapping(byteCount: 0x1000)
            let memory = try AccessMemory.make([AccessMemory.region(0, space)])
            signal(SIGSEGV) { _ in _exit(3) }
            _ = try? memory.load(GuestAddress(0), as: UInt8.self)
        }
    }

    @Test("That they cannot be installed is an error, and keeps no RAM from being accessed by other handles")
    func exhausted() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<8 {
                signal(SIGSEGV, SIG_IGN)
                try GuestMemory.installFaultHandlers()
            }
            var ours = sigaction()
            try #require(sigaction(SIGSEGV, nil, &ours) == 0)
            signal(SIGSEGV, SIG_IGN)
            #expect(throws: Errno.noSpace) { try GuestMemory.installFaultHandlers() }
            let ranges = [try AccessMemory.range(0, 0x1000)]
            let error = #expect(throws: GuestRAMError.self) { try GuestMemory(anonymous: ranges) }
            #expect(error == .faultHandlers(.noSpace))
            #expect(error.map { "\($0)" }?.hasPrefix("cannot handle faults of the guest's RAM (ENOSPC): ") == true)
            let memory = try AccessMemory.make(pages: 1)
            try memory.store(5 as UInt8, at: GuestAddress(0))
            #expect(try memory.load(GuestAddress(0)) as UInt8 == 5)

            try #require(sigaction(SIGSEGV, &ours, nil) == 0)
            #expect(try GuestMemory(anonymous: ranges).contains(GuestAddress(0), count: 0x1000))
        }
    }
}
