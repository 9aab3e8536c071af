import TestSupport
import Testing

/// The configuration as flags and as a file; none of this needs KVM.
@Suite struct ConfigurationTests {
    private func printed(_ arguments: [String]) throws -> String {
        let run = try VMMProgram.run(["run", "--print-configuration"] + arguments)
        #expect(run.ending == .exited(0), "\(run)")
        #expect(run.errors == "")
        return run.text
    }

    private func printed(fromFile text: String, _ flags: [String] = []) throws -> String {
        let folder = try TemporaryFolder()
        return try printed(["--config", folder.file("machine.json", text)] + flags)
    }

    private static let everyKey = """
        {
          "guest": "kernel.elf", "format": "multiboot", "loadAddress": "0x200000", "entry": 2097156,
          "commandLine": "kernel quiet", "arguments": ["a b", "--c"],
          "modules": [{"path": "disk.img", "commandLine": "root"}, {"path": "other"}],
          "memory": "64M", "cpus": 3, "irqchip": "split", "pit": true, "timeout": "10s", "kvmDevice": "/dev/other"
        }
        """
    private static let everyFlag = [
        "--format", "multiboot", "--load-address", "2M", "--entry", "0x200004", "-p", "kernel quiet",
        "-i", "disk.img,root", "-i", "other", "-m", "65536K", "-c", "3", "--irqchip", "split", "--pit",
        "--timeout", "10", "--kvm-device", "/dev/other", "kernel.elf", "--", "a b", "--c",
    ]

    @Test func `a file and flags make the same configuration`() throws {
        let fromFlags = try printed(Self.everyFlag)
        #expect(try printed(fromFile: Self.everyKey) == fromFlags)
        #expect(fromFlags.contains(#""memory" : "64M""#))
    }

    @Test func `a file with nothing but the guest gives the defaults`() throws {
        #expect(try printed(fromFile: #"{"guest": "hello"}"#) == printed(["hello"]))
    }

    @Test func `flags override the file`() throws {
        let flags = [
            "--format", "flat32", "--load-address", "3M", "--entry", "0x300004", "-p", "other line", "-i", "third",
            "-m", "1G", "-c", "2", "--irqchip", "full", "--no-pit", "--timeout", "3s", "--kvm-device", "/dev/third",
            "other.bin",
        ]
        #expect(try printed(fromFile: Self.everyKey, flags + ["--", "x"]) == printed(flags + ["--", "x"]))
        #expect(try printed(fromFile: Self.everyKey, ["-k", "other.bin"]).contains(#""guest" : "other.bin""#))
    }

    @Test func `what is not overridden stays as the file has it`() throws {
        let overridden = try printed(fromFile: Self.everyKey, ["-c", "4"])
        let replaced = Self.everyKey.replacing(#""cpus": 3"#, with: #""cpus": 4"#)
        #expect(try printed(fromFile: replaced) == overridden)
    }

    @Test(arguments: [
        ["hello"], everyFlag, ["-m", "4096", "--timeout", "1500ms", "hello"], ["-m", "3T", "--timeout", "2h", "hello"],
        ["--timeout", "1ms", "hello"], ["--timeout", "1.0005s", "hello"],
        ["-i", "a,b,c", "-p", "quotes \" and \\ and / and \u{1}", "größe"],
    ])
    func `what is printed can be read again and gives the same`(flags: [String]) throws {
        let once = try printed(flags)
        #expect(try printed(fromFile: once) == once)
    }

    @Test(arguments: [
        ("67108864", "64M"), (#""64M""#, "64M"), (#""0x4000000""#, "64M"), (#""1g""#, "1G"), (#""1536K""#, "1536K"),
        ("4096", "4K"),
    ])
    func `the file takes sizes as numbers and as text`(json: String, size: String) throws {
        let text = try printed(fromFile: #"{"guest": "hello", "memory": \#(json)}"#)
        #expect(text == (try printed(["-m", size, "hello"])))
    }

    @Test func `the guest may be on the command line alone`() throws {
        #expect(try printed(fromFile: #"{"cpus": 2}"#, ["hello"]) == printed(["-c", "2", "hello"]))
    }

    @Test(.needsKVM) func `a guest runs from a file alone`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file(
            "exit.json", #"{"guest": "exit", "arguments": ["21"], "memory": "16M", "irqchip": "none"}"#)
        #expect(try VMMProgram.run(["run", "--config", file]) == FinishedRun(43, ""))
        #expect(try VMMProgram.run(["run", "--config", file, "--", "22"]) == FinishedRun(45, ""))
        #expect(try VMMProgram.run(["run", "--config", file, "hello"]) == FinishedRun(0, "hello, world\n"))
    }
}
