import CTryCopy
import Glibc
import Testing

/// Each in a process of its own, whose handlers are its own.
@Suite("Signals that no test can have from the kernel", .timeLimit(.minutes(10)))
struct DeliveryTests {
    @Test("A fault of a load on its operand is its result")
    func ownFault() async {
        await #expect(processExitsWith: .success) {
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: nil)
            try #require(ctrycopy_install() == 0)
            for address in 0x5000...(0x5007 as UInt) {
                var delivery = Delivery(SIGSEGV, code: Int(SEGV_MAPERR), address: address)
                delivery.interruptLoad(from: 0x5000)
                let expected = Fault(address: address, signal: SIGSEGV, code: Int32(SEGV_MAPERR))
                #expect(try delivery.deliver() == expected)
            }
            #expect(EarlierHandler.record.calls == 0)
        }
    }

    @Test("A fault of a load off its operand is passed on: the stack's, say", arguments: [0x4fff, 0x5008] as [UInt])
    func otherAddress(_ address: UInt) async {
        await #expect(processExitsWith: .success) { [address] in
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: nil)
            try #require(ctrycopy_install() == 0)
            var delivery = Delivery(SIGSEGV, code: Int(SEGV_MAPERR), address: address)
            delivery.interruptLoad(from: 0x5000)
            #expect(try delivery.deliver() == nil)
            #expect(EarlierHandler.record.calls == 1)
            #expect(EarlierHandler.record.address == address)
        }
    }

    @Test("A signal that is sent while an accessor runs is passed on", arguments: [0, -1, -6])
    func sentMeanwhile(_ code: Int) async {
        await #expect(processExitsWith: .success) { [code] in
            try EarlierHandler.install(.detailed, for: SIGSEGV, mending: nil)
            try #require(ctrycopy_install() == 0)
            var delivery = Delivery(SIGSEGV, code: code, address: 0x5000)
            delivery.interruptLoad(from: 0x5000)
            #expect(try delivery.deliver() == nil)
            #expect(EarlierHandler.record.calls == 1)
            #expect(EarlierHandler.record.code == Int32(code))
        }
    }

    @Test("A memory error that the kernel found by itself is passed on")
    func memoryErrorElsewhere() async {
        await #expect(processExitsWith: .success) {
            try EarlierHandler.install(.detailed, for: SIGBUS, mending: nil)
            try #require(ctrycopy_install() == 0)
            var delivery = Delivery(SIGBUS, code: Int(BUS_MCEERR_AO), address: 0x5000, granularity: 12)
            delivery.interruptLoad(from: 0x5000)
            #expect(try delivery.deliver() == nil)
            #expect(EarlierHandler.record.calls == 1)
        }
    }

    @Test("A memory error met by an access is its fault, though it is told by the page")
    func memoryError() async {
        await #expect(processExitsWith: .success) {
            try EarlierHandler.install(.detailed, for: SIGBUS, mending: nil)
            try #require(ctrycopy_install() == 0)
            var met = Delivery(SIGBUS, code: Int(BUS_MCEERR_AR), address: 0x5000, granularity: 12)
            met.interruptLoad(from: 0x5ff8)
            #expect(try met.deliver() == Fault(address: 0x5ff8, signal: SIGBUS, code: Int32(BUS_MCEERR_AR)))

            var next = Delivery(SIGBUS, code: Int(BUS_MCEERR_AR), address: 0x5000, granularity: 12)
            next.interruptLoad(from: 0x6000)
            #expect(try next.deliver() == nil)
            #expect(EarlierHandler.record.calls == 1)
        }
    }

    @Test("A forbidden lock across cache lines is a fault at its operand")
    func splitLock() async {
        await #expect(processExitsWith: .success) {
            try #require(ctrycopy_install() == 0)
            var delivery = Delivery(SIGBUS, code: Int(BUS_ADRALN), address: 0)
            delivery.interruptLoad(from: 0x503e)
            #expect(try delivery.deliver() == Fault(address: 0x503e, signal: SIGBUS, code: Int32(BUS_ADRALN)))
        }
    }
}
