import KVM
import Testing

@testable import VMMachine

/// The report as a whole.
@Suite struct CrashReportTextTests {
    private func report(
        _ guest: GuestFixture, _ cause: CrashReport.Cause = .tripleFault, history: [ExitRecord] = []
    ) -> CrashReport {
        CrashReport(cause: cause, view: guest.view, others: [], history: history)
    }

    private func makeResetGuest() throws -> GuestFixture {
        var guest = try GuestFixture()
        guest.special.cr0 = 0x6000_0010
        guest.special.efer = 0
        guest.special.cs.l = 0
        guest.special.cs.base = 0xffff_0000
        guest.special.cs.selector = 0xf000
        guest.special.cs.limit = 0xffff
        guest.registers.rip = 0xfff0
        return guest
    }

    @Test func `a state that the host did not keep is not taken for the guest's`() throws {
        let history = [
            ExitRecord(kind: .portWrite, size: 1, address: 0x3f8, instructionPointer: 0x10_07e2),
            ExitRecord(kind: .shutdown, instructionPointer: 0xfff0),
        ]
        let report = report(try makeResetGuest(), history: history)
        #expect(
            report.summary
                == "vCPU 0 met a triple fault; this host's processor does not keep the state in which it happened: the guest was "
                + "last seen at 0x1007e2")
        #expect(
            report.sections.map(\.title).filter {
                $0.contains("walk") || $0.contains("backtrace") || $0.contains("code")
            }.isEmpty)
        #expect(report.sections.last?.lines.last == "shutdown")
    }

    @Test func `a reset state of another cause is shown as it is`() throws {
        #expect(report(try makeResetGuest(), .failedEntry(reason: 1)).sections.contains { $0.title == "code at rip" })
    }

    @Test func `a stale CR2 is marked, and none at all not walked`() throws {
        var guest = try GuestFixture(code: [0x0f, 0x0b])
        #expect(!report(guest).sections.contains { $0.title.contains("cr2") })
        guest.special.cr2 = 0x5000
        #expect(report(guest).sections.contains { $0.title == "page walk for cr2 (perhaps from earlier), 0x5000" })
    }

    @Test(arguments: [(4, "woken"), (5, "suspended"), (6, "SEV"), (9, "an event")] as [(UInt32, String)])
    func `system events are named`(_ type: UInt32, _ word: String) throws {
        let summary = report(try GuestFixture(code: [0x90]), .systemEvent(type: type)).summary
        #expect(summary.contains(word) && summary.hasSuffix("(event type \(type))"))
    }

    @Test func `processors that never started say so`() throws {
        var cpu = try GuestFixture().cpu
        cpu.mpState = .uninitialized
        let view = GuestView(cpu: cpu, memory: try GuestFixture().memory, symbols: nil)
        #expect(RegisterText.summary(view).hasSuffix(", waits to be initialized, never started"))
        cpu.mpState = .initReceived
        #expect(
            RegisterText.summary(GuestView(cpu: cpu, memory: view.memory, symbols: nil)).hasSuffix(
                "waits for its start-up message"))
    }

    @Test func `in real mode registers are shown with the addresses they mean`() throws {
        var guest = try GuestFixture()
        guest.special.cr0 = 0
        guest.special.efer = 0
        guest.special.cs.l = 0
        guest.special.cs.base = 0x7c00
        guest.special.cs.limit = 0xffff
        guest.registers.rip = 0x10
        guest.registers.rsp = 0x6000
        #expect(RegisterText.lines(guest.view)[1] == "rip 0x10 (linear 0x7c10), rsp 0x6000")
    }

    @Test func `whatever a guest holds, the report is made`() throws {
        var random = SplitMix(state: 7)
        let causes: [CrashReport.Cause] = [
            .tripleFault, .internalError(suberror: 1, data: []), .internalError(suberror: 3, data: [.max]),
        ]
        for round in 0..<300 {
            var guest = try GuestFixture(code: (0..<64).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            if round & 1 != 0 { try guest.putHandlers(interruptStack: random.next() & 7) }
            let values: [UInt64] = [0, 1, 0x9000, 0x8000_0000_0000_0000, 0x7fff_ffff_ffff, .max, random.next()]
            for path in [
                \GuestFixture.registers.rax, \.registers.rcx, \.registers.rdx, \.registers.rdi, \.registers.rsp,
                \.registers.rbp,
            ] {
                guest[keyPath: path] = values.randomElement(using: &random) ?? 0
            }
            for path in [
                \GuestFixture.special.cr2, \.special.gdt.base, \.special.idt.base, \.special.tr.base, \.special.cs.base,
            ] {
                if random.next() & 3 == 0 { guest[keyPath: path] = values.randomElement(using: &random) ?? 0 }
            }
            guest.special.ss.dpl = UInt8(random.next() & 3)
            guest.special.cs.limit = .max
            guest.special.tr.selector = 0x28
            guest.special.tr.present = 1
            guest.special.tr.limit = UInt32(truncatingIfNeeded: random.next())
            if random.next() & 3 == 0 { guest.special.cs.l = 0 }
            if random.next() & 3 == 0 { guest.special.cr0 = random.next() }
            if random.next() & 3 == 0 { guest.special.cr4 = random.next() }
            if random.next() & 3 == 0 { guest.special.efer = random.next() }
            for cause in causes { #expect(!"\(report(guest, cause))".isEmpty) }
        }
    }
}
