import FoundationEssentials
import TestSupport
import Testing

/// What `vmm plan` prints; none of it needs KVM.
@Suite struct PlanTests {
    private func plan(_ text: String) throws -> FinishedRun {
        try VMMProgram.run(["plan", "-"], input: .bytes(Array(text.utf8)))
    }

    /// The lines after the one that begins with `title`, up to the next empty one, without their indentation.
    private func lines(after title: String, in run: FinishedRun) -> [String] {
        run.text.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { !$0.hasPrefix(title) }.dropFirst().prefix { !$0.isEmpty }
            .map { $0.split(separator: " ").joined(separator: " ") }
    }

    @Test func `the example prints what is beside it`() throws {
        let run = try VMMProgram.run(["plan", PlanExample.path])
        #expect(run == FinishedRun(0, try PlanExample.expectedText()))
    }

    @Test func `the example has a hole, a ROM over RAM that goes and comes, and a BAR that moves`() throws {
        let run = try VMMProgram.run(["plan", PlanExample.path])
        #expect(lines(after: "regions", in: run).contains("[0xa0000, 0xbffff] 128K --- no memory vga"))
        #expect(
            lines(after: "changes[0]: unmap \"bios\"", in: run).prefix(2) == [
                "unmap [0xe0000, 0xfffff] 128K", "map [0xe0000, 0xfffff] 128K rwx ram+0xe0000",
            ])
        #expect(
            lines(after: "changes[1]: map \"bios\" r-x", in: run).prefix(2) == [
                "unmap [0xe0000, 0xfffff] 128K", "map [0xe0000, 0xfffff] 128K r-x bios+0x0",
            ])
        #expect(
            lines(after: "changes[2]: move \"bar\" to 0xfc000000", in: run).prefix(2) == [
                "unmap [0xe0000000, 0xe0ffffff] 16M", "map [0xfc000000, 0xfcffffff] 16M rw- video+0x0",
            ])
    }

    @Test func `the view is the one after the change`() throws {
        let run = try plan(
            #"""
            { "backings": [{ "name": "b", "size": "1M" }],
              "regions": [{ "name": "r", "start": 0, "size": "8K", "mappings": [{ "backing": "b" }] }],
              "changes": [
                { "removeMappings": "r", "offset": "4K" }, { "unmap": "r" }, { "resize": "r", "to": "12K" },
                { "transaction": [
                  { "addMapping": "r", "backing": "b", "backingOffset": "64K", "writable": false },
                  { "map": "r", "executable": false, "prefetch": true }
                ] },
                { "move": "r", "to": "1M" }, { "remove": "r" }
              ] }
            """#)
        #expect(run.ending == .exited(0))
        #expect(
            lines(after: "changes[0]", in: run) == [
                "unmap [0x1000, 0x1fff] 4K", "view [0x0, 0xfff] 4K rwx b+0x0 r", "[0x1000, 0x1fff] 4K --- no memory r",
            ])
        #expect(lines(after: "changes[1]", in: run) == ["unmap [0x0, 0xfff] 4K", "view empty"])
        #expect(lines(after: "changes[2]", in: run) == ["no operation", "view empty"])
        #expect(
            lines(after: "changes[3]", in: run) == [
                "map [0x0, 0x2fff] 12K r-- b+0x10000, prefetch",
                "view [0x0, 0x2fff] 12K r-- b+0x10000, prefetch r",
            ])
        #expect(
            lines(after: "changes[4]", in: run) == [
                "unmap [0x0, 0x2fff] 12K", "map [0x100000, 0x102fff] 12K r-- b+0x10000, prefetch",
                "view [0x100000, 0x102fff] 12K r-- b+0x10000, prefetch r",
            ])
        #expect(lines(after: "changes[5]", in: run) == ["unmap [0x100000, 0x102fff] 12K", "view empty"])
        #expect(run.text.hasSuffix("\nchanges 6, refused 0, unmaps 4, maps 3; then regions 0, pieces in the view 0\n"))
    }

    @Test func `what is left out is as usual`() throws {
        let short = #"{"backings":[{"name":"b","size":8192}],"#
        let brief = #""regions":[{"name":"r","start":0,"size":8192,"mappings":[{"backing":"b"}]}]}"#
        let whole =
            #""policy":"layered","addressWidth":64,"changes":[],"regions":[{"name":"r","start":"0x0","size":"8K","#
            + #""priority":0,"map":{"writable":true,"executable":true,"prefetch":false},"mappings":"#
            + #"[{"offset":0,"size":"8K","backing":"b","backingOffset":0,"writable":true}]}]}"#
        let run = try plan(short + brief)
        #expect(lines(after: "regions", in: run).first == "map [0x0, 0x1fff] 8K rwx b+0x0")
        #expect(try plan(short + whole) == run)
        #expect(try plan(short + brief.replacing(#""size":8192,"#, with: #""size":8192,"map":true,"#)) == run)
    }

    @Test func `a read-only backing is mapped read-only unless told otherwise`() throws {
        let run = try plan(
            #"""
            { "backings": [{ "name": "b", "size": "4K", "readOnly": true }],
              "regions": [{ "name": "r", "start": 0, "size": "4K", "mappings": [{ "backing": "b" }] }] }
            """#)
        #expect(lines(after: "regions", in: run).first == "map [0x0, 0xfff] 4K r-x b+0x0")
    }

    @Test func `a region that is not mapped is not seen`() throws {
        let run = try plan(#"{"regions": [{"name": "r", "start": 0, "size": "4K", "map": false}]}"#)
        #expect(lines(after: "regions", in: run) == ["no operation", "view empty"])
        #expect(run.text.contains("then regions 1, "))
    }

    @Test func `an object without anything is a plan`() throws {
        let run = try plan("{}")
        #expect(run.ending == .exited(0))
        #expect(lines(after: "regions", in: run) == ["no operation", "view empty"])
    }

    @Test func `names cannot drive the terminal`() throws {
        let name = #"a\nb\u001b[31mc"#
        let run = try plan(
            #"{"regions": [{"name": "\#(name)", "start": 0, "size": "4K"}], "changes": [{"unmap": "\#(name)"}, "#
                + #"{"remove": "\#(name)x"}]}"#)
        #expect(run.ending == .exited(1))
        #expect(!run.output.contains(0x1b))
        #expect(run.text.contains(#"a\u{a}b\u{1b}[31mc"#))
        #expect(!run.text.split(separator: "\n").contains { $0.hasPrefix("b") })
    }
}

// MARK: For programs

extension PlanTests {
    private struct Range: Decodable, Hashable {
        let start: String
        let last: String
    }

    private struct Memory: Decodable, Hashable {
        let backing: String
        let backingOffset: UInt64
        let writable: Bool
        let executable: Bool
        let prefetch: Bool
    }

    private struct Step: Decodable {
        struct Operation: Decodable, Hashable {
            let operation: String
            let range: Range
            let memory: Memory?
        }

        struct Refusal: Decodable {
            let path: String
            let reason: String
        }

        struct Piece: Decodable, Hashable {
            let range: Range
            let region: String
            let memory: Memory?
        }

        let step: String
        let change: String?
        let operations: [Operation]
        let refusal: Refusal?
        let view: [Piece]
    }

    private struct Summary: Decodable {
        let summary: [String: Int]
    }

    private func steps(_ run: FinishedRun) throws -> (steps: [Step], summary: [String: Int]) {
        let lines = run.text.split(separator: "\n")
        let summary = try JSONDecoder().decode(Summary.self, from: Data(try #require(lines.last).utf8))
        let steps = try lines.dropLast().map { try JSONDecoder().decode(Step.self, from: Data($0.utf8)) }
        return (steps, summary.summary)
    }

    @Test func `with --json each step is a line`() throws {
        let run = try VMMProgram.run(["plan", "--json", PlanExample.path])
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        let (steps, summary) = try steps(run)
        #expect(steps.map(\.step) == ["regions"] + (0..<5).map { "changes[\($0)]" })
        #expect(steps[0].change == nil)
        #expect(steps[1].change == #"unmap "bios""#)
        let bios = Range(start: "0xe0000", last: "0xfffff")
        let ram = Memory(backing: "ram", backingOffset: 0xe0000, writable: true, executable: true, prefetch: false)
        #expect(
            steps[1].operations == [
                Step.Operation(operation: "unmap", range: bios, memory: nil),
                Step.Operation(operation: "map", range: bios, memory: ram),
            ])
        #expect(
            steps[0].view.contains(
                Step.Piece(range: Range(start: "0xa0000", last: "0xbffff"), region: "vga", memory: nil)))
        #expect(steps[2].view == steps[0].view)
        let expected = ["changes": 5, "refused": 0, "unmaps": 4, "maps": 11, "regions": 6, "pieces": 8]
        #expect(summary == expected)
    }

    @Test func `with --json a refusal is told where and why, and the view is as it was`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file(
            "plan.json",
            #"{"regions": [{"name": "r", "start": 0, "size": "4K"}], "changes": [{"move": "r", "to": 5}, {"unmap": "r"}]}"#
        )
        let run = try VMMProgram.run(["plan", file, "--json"])
        #expect(run.ending == .exited(1))
        expectErrorLine(run, [file, "1 of 2 changes refused"])
        let (steps, summary) = try steps(run)
        #expect(steps[1].refusal?.path == "changes[0]")
        #expect(steps[1].refusal?.reason.contains("0x5, which is not a multiple of 4 KiB") == true)
        #expect(steps[1].operations.isEmpty)
        #expect(steps[1].view == steps[0].view)
        #expect(steps[2].refusal == nil && steps[2].view.isEmpty)
        #expect(summary["refused"] == 1)
    }
}
