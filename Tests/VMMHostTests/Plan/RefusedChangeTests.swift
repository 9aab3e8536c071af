import TestSupport
import Testing

/// Changes that are well-formed, and cannot be made where they stand.
@Suite struct RefusedChangeTests {
    /// A change, and the words about it.
    typealias Wrong = BadPlanTests.Wrong

    /// Plans the change between two that can be made, and expects that it alone is refused, with these words.
    private func expectRefused(
        _ wrong: Wrong, policy: String = "layered", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let text = #"""
            { "policy": "\#(policy)", "addressWidth": 32,
              "backings": [
                { "name": "b", "size": "1M" }, { "name": "fixed", "size": "1M", "readOnly": true },
                { "name": "anonymous", "size": "1M", "shareable": false }
              ],
              "regions": [
                { "name": "r", "start": "1M", "size": "64K", "mappings": [{ "backing": "b" }] },
                { "name": "s", "start": "2M", "size": "64K", "mappings": [{ "backing": "anonymous" }] }
              ],
              "changes": [{ "unmap": "s" }, \#(wrong.text), { "map": "s" }] }
            """#
        let run = try VMMProgram.run(["plan", "-"], input: .bytes(Array(text.utf8)))
        #expect(run.ending == .exited(1), sourceLocation: sourceLocation)
        expectErrorLine(run, ["standard input: 1 of 3 changes refused"], sourceLocation: sourceLocation)
        let lines = run.text.split(separator: "\n")
        let refusals = lines.filter { $0.hasPrefix("  refused: ") }
        #expect(refusals.count == 1, sourceLocation: sourceLocation)
        for word in wrong.words {
            #expect(refusals.first?.contains(word) == true, "no \(word) in \(run)", sourceLocation: sourceLocation)
        }
        // The last step finds all as it was at the beginning.
        let view = lines.drop { !$0.hasPrefix("changes[2]") }.drop { !$0.hasPrefix("  view") }.prefix(2)
        let firstView = lines.drop { !$0.hasPrefix("  view") }.prefix(2)
        let columns = { (lines: ArraySlice<Substring>) in lines.map { $0.split(separator: " ") } }
        #expect(columns(view) == columns(firstView), sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        Wrong(#"{"add": {"name": "r", "start": 0, "size": "4K"}}"#, "changes[1].add.name", #"region "r" already"#),
        Wrong(#"{"add": {"name": "x", "start": 0, "size": 0}}"#, "changes[1].add", #""x""#, "no bytes"),
        Wrong(#"{"add": {"name": "x", "start": 0, "size": 4097}}"#, "changes[1].add", #""x""#, "4097", "4 KiB"),
        Wrong(#"{"add": {"name": "x", "start": 1, "size": "4K"}}"#, "changes[1].add", #""x""#, "0x1", "4 KiB"),
        Wrong(#"{"add": {"name": "x", "start": "4G", "size": "4K"}}"#, "changes[1].add", #""x""#, "32 bits"),
        Wrong(
            #"{"add": {"name": "x", "start": 0, "size": "4K", "mappings": [{"backing": "b", "size": "8K"}]}}"#,
            "changes[1].add.mappings[0]", #""x""#, "end after the region"),
        Wrong(
            #"{"add": {"name": "x", "start": 0, "size": "4K", "mappings": [{"backing": "b", "backingOffset": "1M"}]}}"#,
            "changes[1].add.mappings[0]", #""b""#, "0x100000", "end after its 1048576 bytes"),
        Wrong(
            #"{"addMapping": "r", "backing": "fixed", "writable": true}"#, "changes[1]", #""fixed" is read-only"#),
        Wrong(#"{"addMapping": "r", "backing": "nothing"}"#, "changes[1].backing", #"no backing "nothing""#),
        Wrong(#"{"addMapping": "r", "backing": "anonymous"}"#, "changes[1]", #""anonymous""#, #"region "s""#),
        Wrong(#"{"addMapping": "r", "backing": "b", "size": 0}"#, "changes[1]", "0 bytes", "whole pages"),
        Wrong(#"{"addMapping": "r", "backing": "b", "offset": "64K"}"#, "changes[1].offset", "has 64K"),
        Wrong(#"{"removeMappings": "r", "offset": 100}"#, "changes[1]", "0x64", "whole pages"),
        Wrong(#"{"remove": "x"}"#, "changes[1].remove", #"no region "x""#),
        Wrong(#"{"map": "x"}"#, "changes[1].map", #"no region "x""#),
        Wrong(#"{"unmap": "x"}"#, "changes[1].unmap", #"no region "x""#),
        Wrong(#"{"addMapping": "x", "backing": "b"}"#, "changes[1].addMapping", #"no region "x""#),
        Wrong(#"{"removeMappings": "x"}"#, "changes[1].removeMappings", #"no region "x""#),
        Wrong(#"{"move": "x", "to": 0}"#, "changes[1].move", #"no region "x""#),
        Wrong(#"{"resize": "x", "to": 4096}"#, "changes[1].resize", #"no region "x""#),
        Wrong(#"{"move": "r", "to": "0xffffffff"}"#, "changes[1]", #""r""#, "0xffffffff"),
        Wrong(#"{"move": "r", "to": 18446744073709547520}"#, "changes[1]", "passes the last address"),
        Wrong(#"{"resize": "r", "to": 0}"#, "changes[1]", #""r""#, "no bytes"),
        Wrong(#"{"resize": "r", "to": 18446744073709551615}"#, "changes[1]", #""r""#),
        Wrong(
            #"{"removeMappings": "r", "offset": 18446744073709547520, "size": 18446744073709547520}"#, "changes[1]",
            "end after the region"),
    ])
    func `a change that cannot be made is refused, and the next one follows`(wrong: Wrong) throws {
        try expectRefused(wrong)
    }

    @Test func `under nested naming an overlap is refused with both regions`() throws {
        let wrong = Wrong(
            #"{"add": {"name": "x", "start": "0x10f000", "size": "64K"}}"#, "changes[1].add",
            #"region "x" at [0x10f000, 0x11efff]"#, #"region "r" at [0x100000, 0x10ffff]"#)
        try expectRefused(wrong, policy: "nested")
    }

    @Test func `a transaction is refused as a whole`() throws {
        try expectRefused(
            Wrong(
                #"{"transaction": [{"remove": "r"}, {"add": {"name": "r", "start": 0, "size": "4K"}}, {"remove": "x"}]}"#,
                "changes[1].transaction[2].remove", #"no region "x""#))
        try expectRefused(
            Wrong(
                #"{"transaction": [{"unmap": "r"}, {"add": {"name": "r", "start": 0, "size": "4K"}}]}"#,
                "changes[1].transaction[1].add.name", #"region "r" already"#))
    }

    @Test func `within a transaction names are those of that moment`() throws {
        let text = #"""
            { "regions": [{ "name": "r", "start": "1M", "size": "64K" }],
              "changes": [
                { "transaction": [
                  { "remove": "r" }, { "add": { "name": "r", "start": 0, "size": "4K" } }, { "move": "r", "to": "2M" }
                ] },
                { "move": "r", "to": "3M" }
              ] }
            """#
        let run = try VMMProgram.run(["plan", "-"], input: .bytes(Array(text.utf8)))
        #expect(run.ending == .exited(0))
        #expect(run.text.contains("[0x300000, 0x300fff]  4K  ---  no memory  r\n"))
    }

    @Test func `regions that cannot be at the beginning make a bad file`() throws {
        let text = #"""
            { "policy": "nested", "regions": [
                { "name": "one", "start": 0, "size": "64K" }, { "name": "two", "start": "32K", "size": "64K" } ] }
            """#
        let run = try VMMProgram.run(["plan", "-"], input: .bytes(Array(text.utf8)))
        expectRefusal(
            run, 65, ["regions[1]", #"region "two" at [0x8000, 0x17fff]"#, #"region "one" at [0x0, 0xffff]"#])
    }
}
