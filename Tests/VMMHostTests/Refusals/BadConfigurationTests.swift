import TestSupport
import Testing

@Suite struct BadConfigurationTests {
    /// Expects that the text is refused as a configuration, in a line that names the file.
    private func expectRefused(
        _ text: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("machine.json", text)
        let run = try VMMProgram.run(["run", "--config", file])
        expectRefusal(run, 64, ["--config", file] + words, sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        "", "hello", "{", #"{"guest": "hello""#, #"{"guest": "hello"} {}"#, #"{"guest": hello}"#, "{guest: 1}", "\u{0}",
        #"{"guest": "hello", "cpus": }"#,
    ])
    func `text that is not JSON is refused`(text: String) throws {
        try expectRefused(text, ["not JSON"])
    }

    @Test func `JSON nested without end is refused`() throws {
        try expectRefused(String(repeating: "[", count: 200_000), [])
        try expectRefused(String(repeating: #"{"guest":"#, count: 50_000), [])
    }

    @Test func `a file larger than any configuration is refused`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("machine.json", "{".utf8, size: 1 << 40)
        expectRefusal(try VMMProgram.run(["run", "--config", file]), 64, ["--config", file, "1 MiB"])
    }

    @Test(arguments: ["[]", #""hello""#, "1", "null"])
    func `JSON that is no object is refused`(text: String) throws {
        try expectRefused(text, ["object"])
    }

    /// What is wrong with the object, and the words about it: always the key.
    struct Wrong: Sendable, CustomTestStringConvertible {
        let members: String
        let words: [String]

        init(_ members: String, _ words: String...) {
            self.members = members
            self.words = words
        }

        var testDescription: String { members }
    }

    @Test(arguments: [
        Wrong(#""cpu": 2"#, "cpu: is not a key", "cpus"),
        Wrong(#""Guest": "x""#, "Guest: is not a key", "guest"),
        Wrong(#""cpus": "2""#, "cpus", "integer"), Wrong(#""cpus": true"#, "cpus", "integer"),
        Wrong(#""cpus": 2.5"#, "cpus"), Wrong(#""cpus": 1e30"#, "cpus"),
        Wrong(#""memory": "64X""#, "memory", "no size", "64M"), Wrong(#""memory": "-1""#, "memory", "no size"),
        Wrong(#""memory": -1"#, "memory", "size"), Wrong(#""memory": 1.5"#, "memory", "size"),
        Wrong(#""memory": []"#, "memory", "size"), Wrong(#""memory": 1e300"#, "memory", "size"),
        Wrong(#""irqchip": "half""#, "irqchip", "full", "split", "none"),
        Wrong(#""irqchip": 1"#, "irqchip"),
        Wrong(#""dirtyTracking": "nonsense""#, "dirtyTracking", "auto", "log", "manual", "ring", "off"),
        Wrong(#""dirtyTracking": true"#, "dirtyTracking"),
        Wrong(#""dirtyRingSize": "4096""#, "dirtyRingSize", "integer"),
        Wrong(#""dirtyRingSize": 4096.5"#, "dirtyRingSize"), Wrong(#""dirtyRingSize": 1e30"#, "dirtyRingSize"),
        Wrong(#""format": "zip""#, "format", "flat32", "elf64", "multiboot"),
        Wrong(#""pit": "yes""#, "pit", "true or false"), Wrong(#""pit": 1"#, "pit", "true or false"),
        Wrong(#""timeout": "soon""#, "timeout", "10s"), Wrong(#""timeout": -1"#, "timeout", "10s"),
        Wrong(#""timeout": 0"#, "timeout"), Wrong(#""timeout": 1e300"#, "timeout"),
        Wrong(#""loadAddress": "here""#, "loadAddress"), Wrong(#""entry": -5"#, "entry"),
        Wrong(#""arguments": "one""#, "arguments", "array"), Wrong(#""arguments": ["one", 2]"#, "arguments[1]"),
        Wrong(#""modules": ["disk.img"]"#, "modules[0]", "object"),
        Wrong(#""modules": [{"path": 1}]"#, "modules[0].path", "string"),
        Wrong(#""modules": [{"commandLine": "x"}]"#, "modules[0].path", "missing"),
        Wrong(#""modules": [{"path": "x", "file": "y"}]"#, "modules[0].file: is not a key", "path"),
        Wrong(#""commandLine": 1"#, "commandLine", "string"), Wrong(#""kvmDevice": 1"#, "kvmDevice", "string"),
    ])
    func `a value that cannot be is refused with its key`(wrong: Wrong) throws {
        try expectRefused(#"{"guest": "hello", \#(wrong.members)}"#, wrong.words)
    }

    @Test func `the guest must be text and named in the file or on the command line`() throws {
        try expectRefused(#"{"guest": 5}"#, ["guest", "string"])
        for text in ["{}", #"{"cpus": 1}"#, #"{"guest": ""}"#] {
            let folder = try TemporaryFolder()
            let file = try folder.file("machine.json", text)
            expectRefusal(try VMMProgram.run(["run", "--config", file]), 64, ["no GUEST", file, "guest"])
        }
    }

    /// What only makes no sense together is found out as for flags.
    @Test(arguments: [
        Wrong(#""memory": 0"#, "needs memory"), Wrong(#""memory": 5000"#, "5000", "4096"),
        Wrong(#""cpus": 0"#, "at least 1 CPU"), Wrong(#""cpus": -9223372036854775808"#, "at least 1 CPU"),
        Wrong(#""cpus": 2, "irqchip": "none""#, "1 CPU"), Wrong(#""pit": true, "irqchip": "split""#, "irqchip"),
    ])
    func `a machine that cannot be is refused`(wrong: Wrong) throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("machine.json", #"{"guest": "hello", \#(wrong.members)}"#)
        expectRefusal(try VMMProgram.run(["run", "--config", file]), 64, wrong.words)
    }

    @Test func `a guest's name with a zero byte is refused`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("machine.json", #"{"guest": "kernels/he\u0000llo"}"#)
        expectRefusal(try VMMProgram.run(["run", "--config", file]), 66, ["zero byte"])
    }
}
