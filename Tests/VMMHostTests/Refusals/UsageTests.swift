import Glibc
import TestSupport
import Testing

/// Command lines that make no sense.
@Suite struct UsageTests {
    @Test(arguments: [
        Refusal(["run"], ["no GUEST", "vmm guests"]),
        Refusal(["run", "hello", "-k", "kernel.elf"], ["both", "hello", "-k kernel.elf"]),
        Refusal(["run", "-m", "0", "hello"], ["-m", "needs memory", "64M"]),
        Refusal(["run", "-m", "5000", "hello"], ["-m", "5000", "4096"]),
        Refusal(["run", "-c", "0", "hello"], ["-c", "at least 1 CPU"]),
        Refusal(["run", "--cpus=-1", "hello"], ["-c", "at least 1 CPU"]),
        Refusal(["run", "--irqchip", "none", "-c", "2", "hello"], ["--irqchip", "1 CPU"]),
        Refusal(["run", "--irqchip", "split", "--pit", "hello"], ["--pit", "irqchip", "full"]),
        Refusal(["run", "--irqchip", "none", "--pit", "hello"], ["--pit", "irqchip", "full"]),
        Refusal(
            ["run", "--load-address", "1M", "hello"], ["hello", "0x100000", "--load-address", "objcopy -O binary"]),
        Refusal(["run", "--load-address", "1M", "hello32"], ["hello32", "0x100000", "--load-address"]),
        Refusal(
            ["run", "--load-address", "4G", "--format", "flat64", "hello16"], ["--load-address", "4 GiB", "lower"]),
        Refusal(["run", "--load-address", "1M", "hello16"], ["hello16", "--load-address", "1 MiB", "lower"]),
        Refusal(["run", "--entry", "0x7e00", "hello16"], ["hello16", "0x7e00", "--entry", "outside"]),
        Refusal(["run", "--entry", "0x300000", "hello"], ["hello", "0x300000", "outside"]),
        Refusal(
            ["run", "--dirty-ring-size", "4096", "hello"], ["--dirty-ring-size", "by auto", "choose ring"]),
        Refusal(
            ["run", "--dirty-tracking", "manual", "--dirty-ring-size", "4096", "hello"],
            ["--dirty-ring-size", "by manual", "choose ring"]),
        Refusal(["run", "-i", "/proc/self/exe", "hello"], ["Multiboot", "hello", "elf64"]),
        Refusal(["run", "-p", String(repeating: "x", count: 4096), "hello"], ["command line", "4096", "4095"]),
        Refusal(["run", "--postcopy", "--multifd-channels", "2", "hello"], ["--multifd-channels", "--migrate-to"]),
        Refusal(["run", "--migrate-after", "2s", "hello"], ["--migrate-after", "--migrate-to"]),
        Refusal(["run", "--json", "hello"], ["--json", "--migrate-to"]),
        Refusal(["run", "-kernel", "hello.elf"], ["-e", "two dashes", "--kernel", "vmm help run"]),
        Refusal(["run", "hello", "one", "two"], ["one", "two", "after --"]),
        Refusal(["receive", "--preallocate", "0", "unix:/a"], ["--preallocate", "0", "leave it out"]),
        Refusal(["receive", "--preallocate", "4097", "unix:/a"], ["--preallocate", "4097", "4096"]),
        Refusal(["receive", "--preallocate", "16777215T", "unix:/a"], ["--preallocate", "16777215T", "2^47"]),
        Refusal(["snapshot", "hello"], ["--output", "vmm help snapshot save"]),
        Refusal(["rnu", "hello"], ["no subcommand 'rnu'", "vmm help"]),
    ])
    func `a machine that cannot be is refused`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }

    @Test(arguments: [
        Refusal(["run", "-m", "lots", "hello"], ["lots", "-m"]),
        Refusal(["run", "-m", "64X", "hello"], ["64X", "-m"]),
        Refusal(["run", "-m", "-64M", "hello"], ["-m"]),
        Refusal(["run", "-m", "16777216T", "hello"], ["16777216T", "-m"]),
        Refusal(["run", "-c", "two", "hello"], ["two", "-c"]),
        Refusal(["run", "-c", "1.5", "hello"], ["1.5", "-c"]),
        Refusal(["run", "-c", "99999999999999999999", "hello"], ["99999999999999999999", "-c"]),
        Refusal(["run", "--irqchip", "half", "hello"], ["half", "--irqchip", "full", "split", "none"]),
        Refusal(
            ["run", "--format", "zip", "hello"],
            ["zip", "--format", "flat16", "flat32", "flat64", "elf32", "elf64", "multiboot"]),
        Refusal(["run", "--load-address", "here", "hello16"], ["here", "--load-address"]),
        Refusal(["run", "--entry", "0xno", "hello16"], ["0xno", "--entry"]),
        Refusal(
            ["run", "--dirty-tracking", "nonsense", "hello"],
            ["nonsense", "--dirty-tracking", "auto", "log", "manual", "ring", "off"]),
        Refusal(["run", "--dirty-tracking", "", "hello"], ["--dirty-tracking", "auto", "ring"]),
        Refusal(
            ["run", "--dirty-tracking", "ring", "--dirty-ring-size", "many", "hello"], ["many", "--dirty-ring-size"]),
        Refusal(
            ["run", "--dirty-tracking", "ring", "--dirty-ring-size", "99999999999999999999", "hello"],
            ["99999999999999999999", "--dirty-ring-size"]),
        Refusal(["run", "--timeout", "soon", "hello"], ["soon", "--timeout"]),
        Refusal(["run", "--timeout", "0", "hello"], ["0", "--timeout"]),
        Refusal(["run", "--timeout", "0.5ms", "hello"], ["0.5ms", "--timeout"]),
        Refusal(["run", "--bogus", "hello"], ["--bogus"]),
        Refusal(["run", "-z", "hello"], ["-z"]),
        Refusal(["run", "hello", "surplus"], ["surplus"]),
        Refusal(["run", "-m"], ["-m"]),
        Refusal(["receive", "--preallocate", "lots", "unix:/a"], ["lots", "--preallocate", "1G"]),
        Refusal(["receive", "--preallocate", "16E", "unix:/a"], ["16E", "--preallocate"]),
        Refusal(["receive", "--preallocate", "16777216T", "unix:/a"], ["16777216T", "--preallocate"]),
        Refusal(["receive", "--preallocate=-1G", "unix:/a"], ["-1G", "--preallocate"]),
        Refusal(["bogus"], ["bogus"]),
    ])
    func `a command line that cannot be understood is refused`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }

    @Test(.needsKVM) func `more than the host can do is refused with what it can`() throws {
        let host = try HostInformation.read()
        let cpus = host.choices.largestCPUCount
        expectRefusal(
            try VMMProgram.run(["run", "-c", "\(cpus + 1)", "hello"]), 64,
            ["-c", "\(cpus + 1)", "more than the \(cpus)"])
        let gigabytes = 1 << (host.physicalAddressBits - 30)
        expectRefusal(
            try VMMProgram.run(["run", "-m", "\(gigabytes)G", "hello"]), 64,
            ["-m", "more than", host.choices.largestMemory, "\(host.physicalAddressBits) bits"])
        expectRefusal(try VMMProgram.run(["run", "-m", "18446744073709547520", "hello"]), 64, ["-m", "more than"])
    }

    /// More than a process can map, where the processor has addresses for it.
    @Test(.needsKVM) func `more memory than the host can map is refused`() throws {
        let run = try VMMProgram.run(["run", "-m", "200T", "hello"])
        if run.ending == .exited(64) {
            expectRefusal(run, 64, ["-m", "more than"])
        } else {
            expectRefusal(run, 71, ["less memory"])
        }
    }

    @Test(arguments: [
        Refusal(
            ["run", "--kvm-device", "/nonexistent", "hello"], 69, ["/nonexistent", "ENOENT", "kvm_intel", "kvm_amd"]),
        Refusal(["run", "--kvm-device", "/dev/null", "hello"], 69, ["/dev/null", "not a KVM device", "/dev/kvm"]),
        Refusal(["run", "--kvm-device", "/", "hello"], 69, ["/", "KVM device"]),
    ])
    func `a device that is not KVM's is refused`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }
}

/// Names from outside in messages: they must neither break the line nor drive the reader's terminal.
@Suite struct HostileNameTests {
    private static let name = "a\nb\u{1b}[31mc"

    @Test(arguments: [
        Refusal(["run", name], 66, ["there is no such file"]),
        Refusal(["run", "-k", "/nonexistent/\(name)"], 66, ["there is no such file"]),
        Refusal(["run", "--config", "/nonexistent/\(name)"], 66, ["--config"]),
        Refusal(["run", "-k", name, "hello"], 64, ["both"]),
        Refusal(["run", "--kvm-device", "/nonexistent/\(name)", "hello"], 69, ["cannot open"]),
        Refusal(["run", "-m", name, "hello"], 64, ["-m"]),
        Refusal(["run", "--format", name, "hello"], 64, ["--format"]),
        Refusal(["run", "--\(name)", "hello"], 64, []),
        Refusal([name], 64, []),
    ])
    func `a name cannot drive the terminal`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }

    @Test func `a configuration file's name and keys cannot drive the terminal`() throws {
        let folder = try TemporaryFolder()
        let badly = try folder.file("bad\n\u{1b}[31m.json", "not JSON")
        expectRefusal(try VMMProgram.run(["run", "--config", badly]), 64, ["not JSON"])
        let badKey = try folder.file("key.json", #"{"guest": "hello", "a\nb\u001b[31m": 1}"#)
        expectRefusal(try VMMProgram.run(["run", "--config", badKey]), 64, ["is not a key"])
        let badValue = try folder.file("value.json", #"{"guest": "hello", "irqchip": "a\nb\u001b[31m"}"#)
        expectRefusal(try VMMProgram.run(["run", "--config", badValue]), 64, ["irqchip"])
    }

    @Test(.needsKVM) func `a report's name cannot drive the terminal`() throws {
        let run = try VMMProgram.run(["run", "--report", "/nonexistent/\(Self.name)", "hello"])
        #expect(run.ending == .exited(73))
        expectErrorLine(run, ["--report"])
    }
}
