import TestSupport
import Testing

/// Files that `vmm plan` refuses, and changes that cannot be made.
@Suite struct BadPlanTests {
    private static func plan(_ text: String) throws -> FinishedRun {
        try VMMProgram.run(["plan", "-"], input: .bytes(Array(text.utf8)))
    }

    /// What is wrong with a file, and the words about it.
    struct Wrong: Sendable, CustomTestStringConvertible {
        let text: String
        let words: [String]

        init(_ text: String, _ words: String...) {
            self.text = text
            self.words = words
        }

        var testDescription: String { text }
    }

    @Test(arguments: ["", "hello", "{", #"{"regions": []"#, "{} {}", #"{"regions": }"#, "\u{0}"])
    func `text that is not JSON is refused`(text: String) throws {
        expectRefusal(try Self.plan(text), 65, ["standard input: is not JSON"])
    }

    @Test(arguments: ["[]", #""hello""#, "1", "null"])
    func `JSON that is no object is refused`(text: String) throws {
        expectRefusal(try Self.plan(text), 65, ["object"])
    }

    @Test func `JSON nested without end is refused`() throws {
        expectRefusal(try Self.plan(String(repeating: "[", count: 200_000)), 65, [])
        expectRefusal(try Self.plan(String(repeating: #"{"changes":["#, count: 50_000)), 65, [])
    }

    @Test func `what is no file to read is named`() throws {
        let folder = try TemporaryFolder()
        let missing = folder.path("missing.json")
        expectRefusal(try VMMProgram.run(["plan", missing]), 66, [missing, "No such file"])
        expectRefusal(try VMMProgram.run(["plan", folder.path]), 66, [folder.path, "Is a directory"])
        let empty = try folder.file("empty.json", [])
        expectRefusal(try VMMProgram.run(["plan", empty]), 65, [empty, "not JSON"])
        let large = try folder.file("large.json", "{".utf8, size: 1 << 40)
        expectRefusal(try VMMProgram.run(["plan", large]), 65, [large, "larger than a plan can be", "16 MiB"])
        let pipe = try folder.pipe("pipe")
        expectRefusal(try VMMProgram.run(["plan", pipe]), 65, [pipe])
    }

    @Test(.needsToBeNobody) func `a file that may not be read is a matter of permission`() throws {
        let folder = try TemporaryFolder()
        let secret = try folder.file("secret.json", "{}".utf8, mode: 0)
        let run = try VMMProgram.runUnprivileged(["plan", secret], copiedTo: folder)
        expectRefusal(run, 77, [secret, "may not be read"])
    }

    @Test(arguments: [
        Refusal(["plan"], ["<file>", "vmm help plan"]),
        Refusal(["plan", "a", "b"], ["'b'", "vmm help plan"]),
        Refusal(["plan", "--yaml", "a"], ["--yaml", "vmm help plan"]),
    ])
    func `a command line that cannot be understood is refused`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }

    @Test(arguments: [
        Wrong(#"{"region": []}"#, "region: is not a key", "regions"),
        Wrong(#"{"policy": "flat"}"#, "policy", "nested, layered"),
        Wrong(#"{"addressWidth": 65}"#, "addressWidth", "from 12 to 64"),
        Wrong(#"{"addressWidth": "40"}"#, "addressWidth", "integer"),
        Wrong(#"{"backings": {}}"#, "backings", "array"),
        Wrong(#"{"backings": [{"name": "b", "size": "1M", "readonly": true}]}"#, "backings[0].readonly: is not a key"),
        Wrong(#"{"backings": [{"name": "b"}]}"#, "backings[0].size: is missing"),
        Wrong(#"{"backings": [{"name": "b", "size": "big"}]}"#, "backings[0].size", "no size", "64M"),
        Wrong(#"{"backings": [{"name": "b", "size": 1, "readOnly": 1}]}"#, "backings[0].readOnly", "true or false"),
        Wrong(
            #"{"backings": [{"name": "b", "size": 1}, {"name": "b", "size": 2}]}"#, "backings[1].name",
            #"a backing "b" already"#),
        Wrong(#"{"regions": [1]}"#, "regions[0]", "object"),
        Wrong(#"{"regions": [{"start": 0, "size": 4096}]}"#, "regions[0].name: is missing"),
        Wrong(#"{"regions": [{"name": 1, "start": 0, "size": 4096}]}"#, "regions[0].name", "string"),
        Wrong(#"{"regions": [{"name": "r", "start": "here", "size": 4096}]}"#, "regions[0].start", "no address"),
        Wrong(#"{"regions": [{"name": "r", "start": -1, "size": 4096}]}"#, "regions[0].start", "no address"),
    ])
    func `a value that cannot be is refused with its key`(wrong: Wrong) throws {
        expectRefusal(try Self.plan(wrong.text), 65, ["standard input: "] + wrong.words)
    }

    /// What follows `"name": "r", "start": 0, "size": "8K"` in a region.
    @Test(arguments: [
        Wrong(#""base": 0"#, "regions[0].base: is not a key"),
        Wrong(#""priority": 256"#, "regions[0].priority", "from 0 to 255"),
        Wrong(#""map": "yes""#, "regions[0].map", "true, false or an object"),
        Wrong(#""map": {"write": true}"#, "regions[0].map.write: is not a key", "writable"),
        Wrong(#""map": {"writable": 1}"#, "regions[0].map.writable", "true or false"),
        Wrong(#""mappings": [{}]"#, "regions[0].mappings[0].backing: is missing"),
        Wrong(#""mappings": [{"backing": "b", "region": "r"}]"#, "regions[0].mappings[0].region: is not a key"),
        Wrong(#""mappings": [{"backing": "rim"}]"#, "regions[0].mappings[0].backing", #"no backing "rim""#),
        Wrong(#""mappings": [{"backing": "b", "offset": "1M"}]"#, "regions[0].mappings[0].offset", "has 8K"),
        Wrong(#""mappings": [{"backing": "b", "size": "12K"}]"#, "regions[0].mappings[0]", "end after the region"),
    ])
    func `a region that cannot be is refused with its key`(wrong: Wrong) throws {
        let run = try Self.plan(
            #"{"backings": [{"name": "b", "size": "1M"}], "regions": [{"name": "r", "start": 0, "size": "8K", "#
                + wrong.text + "}]}")
        expectRefusal(run, 65, wrong.words)
    }

    @Test(arguments: [
        Wrong("{}", "changes[0]: is no change", "transaction"),
        Wrong("3", "changes[0]", "object"),
        Wrong(#"{"mapp": "r"}"#, "changes[0].mapp: is not a key", "map", "transaction"),
        Wrong(#"{"map": 1}"#, "changes[0].map", "string"),
        Wrong(#"{"map": "r", "to": 0}"#, "changes[0].to: is not a key", "writable"),
        Wrong(#"{"map": "r", "unmap": "r"}"#, "changes[0]: is more than one change: map, unmap"),
        Wrong(#"{"move": "r"}"#, "changes[0].to: is missing"),
        Wrong(#"{"resize": "r", "to": "large"}"#, "changes[0].to", "no size"),
        Wrong(#"{"addMapping": "r"}"#, "changes[0].backing: is missing"),
        Wrong(#"{"removeMappings": "r", "backing": "b"}"#, "changes[0].backing: is not a key"),
        Wrong(#"{"add": {"name": "x", "start": 0}}"#, "changes[0].add.size: is missing"),
        Wrong(#"{"transaction": {"unmap": "r"}}"#, "changes[0].transaction", "array"),
        Wrong(#"{"transaction": [{"unmap": "r"}, {"hide": "r"}]}"#, "changes[0].transaction[1].hide: is not a key"),
        Wrong(#"{"transaction": [{"transaction": []}]}"#, "changes[0].transaction[0].transaction: is not a key"),
    ])
    func `a change that is none is refused with its key`(wrong: Wrong) throws {
        expectRefusal(try Self.plan(#"{"changes": [\#(wrong.text)]}"#), 65, wrong.words)
    }
}
