import BuiltInGuests
import TestSupport
import Testing

@Suite(.needsKVM) struct CrashReportTests {
    /// A way in which the guest `fault` crashes, and what the report has to say about it.
    struct Crash: Sendable, CustomTestStringConvertible {
        let kind: String
        /// What the guest prints first.
        let announcement: String
        /// The words that matter of what follows "vmm: guest crashed: vCPU 0 ", in order.
        let sentence: [String]
        /// The functions, the innermost first.
        let backtrace: [String]
        /// Other lines, in order: the page walks and the last exits.
        let lines: [String]

        var testDescription: String { kind }

        static let all = [
            Crash(
                kind: "ud2", announcement: "execute ud2",
                sentence: ["ud2", "#UD", " (execute_undefined_instruction+0x", "interrupt table", "triple fault"],
                backtrace: [
                    "execute_undefined_instruction", "check_invariants", "fault_by_ud2", "guest_main", "_start",
                ],
                lines: [
                    "page walk for rip, 0x", "PML4[0] ", "PDPT[0] ", "PD[0] ", "=> guest-physical 0x1",
                    "out8 0x3f8 <- 0x0a", "shutdown  rip 0x",
                ]),
            Crash(
                kind: "null", announcement: "read through a null pointer",
                sentence: [
                    "null pointer", "0x10", " (queue_length+0x", "PT entry is not present", "#PF", "interrupt table",
                    "triple fault",
                ],
                backtrace: ["queue_length", "pending_requests", "fault_by_null_pointer", "guest_main", "_start"],
                lines: [
                    "page walk for rip, 0x", "=> guest-physical 0x1", "(4K page)", "page walk for cr2, 0x10:",
                    "PT[0] ", "not present", "=> NOT MAPPED: the PT entry is not present", "shutdown  rip 0x",
                ]),
            Crash(
                kind: "stack", announcement: "overflow the stack",
                sentence: [
                    "stack", " (count_nodes+0x", "PT entry is not present", "#PF", "interrupt table", "triple fault",
                ],
                backtrace: ["count_nodes", "count_nodes", "count_nodes", "count_nodes"],
                lines: [
                    "page walk for rip, 0x", "=> guest-physical 0x1", "page walk for cr2, 0x",
                    "=> NOT MAPPED: the PT entry is not present", "shutdown  rip 0x",
                ]),
            Crash(
                kind: "wild-jump", announcement: "call a function at 0xdeadb000",
                sentence: ["jumped to 0xdeadb000", "no memory"],
                backtrace: ["", "start_device", "fault_by_wild_jump", "guest_main", "_start"],
                lines: [
                    "cannot be read: there is no memory at 0xdeadb000", "page walk for rip, 0xdeadb000:",
                    "=> guest-physical 0xdeadb000", "NO MEMORY THERE", "out8 0x3f8 <- 0x0a", "internal error",
                ]),
            Crash(
                kind: "div", announcement: "divide by zero",
                sentence: ["ud2", "#UD", " (broken_divide_handler+0x", "vector 6", "triple fault"],
                backtrace: ["broken_divide_handler", "average", "fault_by_division", "guest_main", "_start"],
                lines: ["page walk for rip, 0x", "=> guest-physical 0x1", "out8 0x3f8 <- 0x0a", "shutdown  rip 0x"]),
        ]
    }

    private func expect(
        _ wanted: [String], inOrderIn text: Substring, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var rest = text
        for piece in wanted {
            guard let found = rest.firstRange(of: piece) else {
                Issue.record("no \(piece.debugDescription) in \(rest)", sourceLocation: sourceLocation)
                return
            }
            rest = rest[found.upperBound...]
        }
    }

    /// The indented lines under a title.
    private func section(_ title: String, of report: String) -> [Substring] {
        let lines = report.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(where: { $0.hasPrefix(title) }) else { return [] }
        return Array(lines[(start + 1)...].prefix { $0.hasPrefix("  ") })
    }

    @Test(arguments: Crash.all, ["full", "none"])
    func `a crash is told in a sentence that names the place and the reason`(crash: Crash, irqchip: String) throws {
        let run = try VMMProgram.run(["run", "--irqchip", irqchip, "fault", "--", crash.kind])
        #expect(run.ending == .exited(70))
        #expect(run.text == "fault: about to \(crash.announcement)\n")
        let sentence = try #require(run.errorLines.first)
        #expect(sentence.hasPrefix("vmm: guest crashed: vCPU 0 "))
        expect(crash.sentence, inOrderIn: sentence)
    }

    @Test(arguments: Crash.all)
    func `the report shows the calls that led to the crash`(crash: Crash) throws {
        let run = try VMMProgram.run(["run", "fault", "--", crash.kind])
        let backtrace = section("backtrace", of: run.errors)
        #expect(backtrace.count >= crash.backtrace.count, "\(run.errors)")
        for ((depth, function), line) in zip(crash.backtrace.enumerated(), backtrace) {
            let name = function.isEmpty ? "" : #"  \#(function)\+0x[0-9a-f]+"#
            let pattern = try Regex(#"  #\#(depth) +[0-9a-f]{16}\#(name)"#)
            #expect(line.wholeMatch(of: pattern) != nil, "\(line) is not \(function)")
        }
    }

    @Test(arguments: Crash.all)
    func `the report shows how addresses are translated and what the CPU did last`(crash: Crash) throws {
        let run = try VMMProgram.run(["run", "fault", "--", crash.kind])
        expect(crash.lines, inOrderIn: run.errors[...])
        #expect((2...16).contains(section("last exits", of: run.errors).count))
    }

    @Test(arguments: Crash.all)
    func `the report shows the registers and the code`(crash: Crash) throws {
        let run = try VMMProgram.run(["run", "fault", "--", crash.kind])
        let registers = section("vCPU 0:", of: run.errors).joined(separator: "\n")
        for name in [
            "64-bit mode, CPL 0, interrupts off, paging on", "rax ", "r15 ", "rflags ", "cs ", "idt ", "cr0 ", "cr3 ",
            "efer ",
        ] { #expect(registers.contains(name), "no \(name) in \(registers)") }
        let code = section("code at rip", of: run.errors)
        #expect(code.count == 1)
        if crash.kind == "ud2" { #expect(code.first?.contains(" <0f> 0b ") == true) }
    }

    @Test func `with several CPUs the report shows the others as well`() throws {
        let run = try VMMProgram.run(["run", "-c", "3", "fault", "--", "ud2"])
        #expect(run.ending == .exited(70))
        let others = section("other vCPUs", of: run.errors)
        #expect(others.count == 2)
        #expect(others.first?.hasPrefix("  vCPU 1: real mode") == true)
    }

    @Test func `without a way to crash the guest lists them`() throws {
        let run = try VMMProgram.run(["run", "fault"])
        #expect(run.ending == .exited(3))
        #expect(run.text.hasPrefix("usage: fault ud2 | null | stack | wild-jump | div\n"))
        #expect(run.errors == "")
    }
    @Test func `symbols come from another file where the image has none`() throws {
        let folder = try TemporaryFolder()
        let whole = try #require(BuiltInGuest(named: "fault")).bytes
        // No sections: e_shoff, and e_shentsize to e_shstrndx.
        var stripped = whole
        stripped.replaceSubrange(40..<48, with: [UInt8](repeating: 0, count: 8))
        stripped.replaceSubrange(58..<64, with: [UInt8](repeating: 0, count: 6))
        let image = try folder.file("fault.stripped", stripped)
        let symbols = try folder.file("fault.elf", whole)
        let bare = try VMMProgram.run(["run", image, "--", "null"])
        #expect(bare.ending == .exited(70))
        #expect(!bare.errors.contains("queue_length"))
        let named = try VMMProgram.run(["run", "--symbols", symbols, image, "--", "null"])
        #expect(named.ending == .exited(70))
        #expect(named.errors.contains("(queue_length+0x4)"))
        // Refused before the guest runs.
        let none = try VMMProgram.run(["run", "--symbols", image, image])
        expectRefusal(none, 65, ["fault.stripped", "no symbols", "without -s"])
        expectRefusal(try VMMProgram.run(["run", "--symbols", "/nowhere", "hello"]), 66, ["/nowhere"])
    }
}
