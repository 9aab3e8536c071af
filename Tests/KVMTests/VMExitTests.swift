import CKVM
import Testing

@testable import KVM

/// Decoding, on a run page of the test's own.
@Suite struct VMExitTests {
    /// A page as the kernel would leave it, with the data of port I/O behind it.
    private func withRunPage(_ reason: Int32, _ body: (UnsafeMutablePointer<kvm_run>) -> Void) {
        let page = UnsafeMutableRawPointer.allocate(byteCount: 3 * 4096, alignment: 4096)
        defer { page.deallocate() }
        page.initializeMemory(as: UInt8.self, repeating: 0, count: 3 * 4096)
        let run = page.bindMemory(to: kvm_run.self, capacity: 1)
        run.pointee.exit_reason = UInt32(bitPattern: reason)
        body(run)
    }

    @Test(arguments: [1, 2, 4] as [UInt8])
    func aPortWriteCarriesItsValue(_ size: UInt8) {
        withRunPage(KVM_EXIT_IO) { run in
            ckvm_run_io(run).pointee = ckvm_exit_io(
                direction: UInt8(KVM_EXIT_IO_OUT), size: size, port: 0x3f8, count: 1, data_offset: 4096)
            UnsafeMutableRawPointer(run).storeBytes(of: 0x1234_5678, toByteOffset: 4096, as: UInt32.self)
            guard case .portIO(let io) = VMExit(run) else {
                Issue.record("not decoded as port I/O")
                return
            }
            #expect(io.isWrite && io.port == 0x3f8 && io.data.count == Int(size))
            #expect(io.value == 0x1234_5678 & UInt32.max >> (32 - 8 * UInt32(size)))
        }
    }

    @Test func aPortReadIsAnsweredInThePage() {
        withRunPage(KVM_EXIT_IO) { run in
            ckvm_run_io(run).pointee = ckvm_exit_io(
                direction: UInt8(KVM_EXIT_IO_IN), size: 2, port: 0x60, count: 3, data_offset: 4096)
            guard case .portIO(let io) = VMExit(run) else {
                Issue.record("not decoded as port I/O")
                return
            }
            #expect(!io.isWrite && io.data.count == 6)
            io.value = 0xbeef
            #expect(UnsafeRawPointer(run).load(fromByteOffset: 4096, as: UInt32.self) == 0xbeef)
        }
    }

    @Test(arguments: [(1, 0x88), (2, 0x7788), (4, 0x5566_7788), (8, 0x1122_3344_5566_7788)] as [(UInt32, UInt64)])
    func anMMIOAccessIsAsWideAsItSays(_ length: UInt32, _ value: UInt64) {
        withRunPage(KVM_EXIT_MMIO) { run in
            ckvm_run_mmio(run).pointee = ckvm_exit_mmio(
                address: 0xfec0_0000, data: 0x1122_3344_5566_7788, length: length, is_write: 1)
            guard case .mmio(let access) = VMExit(run) else {
                Issue.record("not decoded as MMIO")
                return
            }
            #expect(access.isWrite && access.address == 0xfec0_0000 && access.size == UInt8(length))
            #expect(access.value == value)
        }
    }

    @Test func aLengthTheKernelWouldNeverGiveIsBounded() {
        withRunPage(KVM_EXIT_MMIO) { run in
            for length: UInt32 in [0, 9, .max] {
                ckvm_run_mmio(run).pointee.length = length
                guard case .mmio(let access) = VMExit(run) else { continue }
                #expect((1...8).contains(access.size))
                _ = access.value
            }
        }
    }

    @Test func anInternalErrorShowsAtMostTheDataThereIsRoomFor() {
        withRunPage(KVM_EXIT_INTERNAL_ERROR) { run in
            ckvm_run_internal(run).pointee.suberror = 1
            ckvm_run_internal(run).pointee.data_count = .max
            guard case .internalError(let error) = VMExit(run) else {
                Issue.record("not decoded as an internal error")
                return
            }
            #expect(error.suberror == 1 && error.data.count == 16)
        }
    }

    @Test(arguments: [18, 40, 1000, -1] as [Int32])
    func aReasonNobodyKnowsKeepsItsNumber(_ reason: Int32) {
        withRunPage(reason) { run in
            guard case .other(let number) = VMExit(run) else {
                Issue.record("not decoded as unknown")
                return
            }
            #expect(number == UInt32(bitPattern: reason))
        }
    }

    @Test func theReasonsWithoutDataAreToldApart() {
        let reasons: [(Int32, String)] = [
            (KVM_EXIT_HLT, "halt"), (KVM_EXIT_SHUTDOWN, "shutdown"), (KVM_EXIT_IRQ_WINDOW_OPEN, "interruptWindowOpen"),
            (KVM_EXIT_DEBUG, "debug"), (KVM_EXIT_DIRTY_RING_FULL, "dirtyRingFull"), (KVM_EXIT_INTR, "interrupted"),
            (KVM_EXIT_HYPERCALL, "hypercall"), (KVM_EXIT_X86_BUS_LOCK, "busLock"), (KVM_EXIT_NOTIFY, "notify"),
        ]
        for (reason, name) in reasons {
            withRunPage(reason) { #expect("\(VMExit($0))".contains(name)) }
        }
    }

    @Test func theDataOfTheOtherReasonsIsReadFromItsPlace() {
        withRunPage(KVM_EXIT_MEMORY_FAULT) { run in
            ckvm_run_memory_fault(run).pointee = ckvm_exit_memory_fault(flags: 8, address: 0x5000, size: 0x1000)
            guard case .memoryFault(8, 0x5000, 0x1000) = VMExit(run) else {
                Issue.record("memory fault")
                return
            }
        }
        withRunPage(KVM_EXIT_FAIL_ENTRY) { run in
            ckvm_run_fail_entry(run).pointee = ckvm_exit_fail_entry(reason: 0x8000_0021, cpu: 3)
            guard case .failedEntry(0x8000_0021, 3) = VMExit(run) else {
                Issue.record("failed entry")
                return
            }
        }
        withRunPage(KVM_EXIT_X86_RDMSR) { run in
            ckvm_run_msr(run).pointee.index = 0x1a0
            guard case .readMSR(let msr) = VMExit(run), msr.index == 0x1a0 else {
                Issue.record("rdmsr")
                return
            }
        }
        withRunPage(KVM_EXIT_IOAPIC_EOI) { run in
            run.pointee.eoi.vector = 0x31
            guard case .ioapicEndOfInterrupt(0x31) = VMExit(run) else {
                Issue.record("eoi")
                return
            }
        }
    }
}
