import Glibc
import SystemPackage
import Testing

@testable import VMMigration

@Suite("The choice between io_uring and plain calls")
struct IOBackendTests {
    @Test(
        "Where no ring is to be had, plain calls do, and the reason is told",
        arguments: [
            (ENOSYS, "plain system calls (io_uring: this kernel has none, ENOSYS)"),
            (EPERM, "plain system calls (io_uring: not permitted, EPERM)"),
            (ENOMEM, "plain system calls (io_uring: not enough memory that may be locked, ENOMEM)"),
        ])
    func refused(_ error: CInt, _ text: String) throws {
        let support = RingSupport.probe { _, _ in -error }
        #expect(support.description == text)
        #expect(try IOBackend.auto.resolved(support: support) == .plain)
        #expect(try IOBackend.plain.resolved(support: support) == .plain)
        let refusal = failure { () throws(TransportError) in try IOBackend.ring.resolved(support: support) }
        #expect(refusal == .ringUnavailable(reason: support.reason ?? ""))
    }

    @Test("What a ring lacks is named")
    func lacks() {
        #expect(RingSupport.lack(features: .max, operations: .max) == nil)
        #expect(
            RingSupport.lack(features: 0, operations: .max)
                == "this kernel's lacks EXT_ARG, NODROP, SUBMIT_STABLE, RW_CUR_POS")
        #expect(RingSupport.lack(features: .max, operations: ~(1 << 9)) == "this kernel's lacks SENDMSG")
        #expect(RingSupport.lack(features: .max, operations: 0)?.contains("ASYNC_CANCEL") == true)
    }

    @Test("What is chosen for this host is what connections get")
    func chosen() throws {
        let link = try Link(Setup(transport: .pair, backend: .auto))
        #expect(link.sender.backend == IOBackend.available)
        #expect(link.receiver.backend == IOBackend.available)
        #expect(
            IOBackend.availableDescription.hasPrefix(IOBackend.available == .ring ? "io_uring" : "plain system calls"))
    }
}
