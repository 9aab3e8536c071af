import BuiltInGuests
import Glibc
import TestSupport
import Testing

/// Guests, modules and configurations that are not files to read.
@Suite struct BadFileTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A Multiboot kernel, which takes modules.
    private func kernel() throws -> String {
        try folder.file("kernel", MultibootKernel.bytes())
    }

    @Test func `a missing file is named`() throws {
        let missing = folder.path("missing.elf")
        for arguments in [[missing], ["-k", missing], ["-i", missing, try kernel()], ["-i", missing, "hello"]] {
            let run = try VMMProgram.run(["run"] + arguments)
            expectRefusal(run, 66, [missing, "no such file"])
        }
        expectRefusal(try VMMProgram.run(["run", "--config", missing]), 66, ["--config", missing, "No such file"])
    }

    @Test func `an unknown built-in guest gets the list of them`() throws {
        let run = try VMMProgram.run(["run", "helo"])
        expectRefusal(run, 66, ["helo", "no such built-in guest"] + BuiltInGuest.all.map(\.name))
    }

    @Test func `a folder is no image`() throws {
        expectRefusal(try VMMProgram.run(["run", folder.path]), 66, [folder.path, "is a directory"])
        expectRefusal(try VMMProgram.run(["run", "--config", folder.path]), 66, [folder.path, "Is a directory"])
        expectRefusal(try VMMProgram.run(["run", "-i", folder.path, kernel()]), 66, [folder.path, "is a directory"])
    }

    /// Opening or reading one of these would wait, or never end.
    @Test func `pipes and devices are no images and nobody waits for them`() throws {
        for path in [try folder.pipe("pipe"), "/dev/null", "/dev/zero", "/dev/ptmx"] {
            expectRefusal(try VMMProgram.run(["run", path]), 66, [path, "not a regular file"])
            expectRefusal(try VMMProgram.run(["run", "-i", path, kernel()]), 66, [path, "not a regular file"])
        }
    }

    @Test func `pipes and devices without a configuration in them are refused and nobody waits for them`() throws {
        for path in [try folder.pipe("pipe"), "/dev/null", "/dev/zero"] {
            expectRefusal(try VMMProgram.run(["run", "--config", path]), 64, ["--config", path])
        }
    }

    @Test func `an empty file is no image`() throws {
        let empty = try folder.file("empty", [])
        expectRefusal(try VMMProgram.run(["run", empty]), 65, [empty, "is empty"])
        expectRefusal(try VMMProgram.run(["run", "--format", "flat32", empty]), 65, [empty, "is empty"])
        expectRefusal(try VMMProgram.run(["run", "-i", empty, kernel()]), 65, [empty, "is empty"])
    }

    @Test(.needsToBeNobody) func `a file that may not be read is a matter of permission`() throws {
        let secret = try folder.file("secret.elf", "secret".utf8, mode: 0)
        for arguments in [[secret], ["-k", secret], ["--config", secret], ["-i", secret, try kernel()]] {
            let run = try VMMProgram.runUnprivileged(["run"] + arguments, copiedTo: folder)
            expectRefusal(run, 77, [secret, "may not be read"])
        }
    }

    @Test(.needsToBeNobody) func `a KVM device that may not be opened comes with the ways to get at it`() throws {
        let device = try folder.file("kvm", [], mode: 0)
        for arguments in [["run", "--kvm-device", device, "hello"], ["info", "--kvm-device", device]] {
            let run = try VMMProgram.runUnprivileged(arguments, copiedTo: folder)
            expectRefusal(run, 77, [device, "EACCES", "usermod -aG kvm", "setfacl", device])
        }
    }

    private static var isKVMForItsGroupOnly: Bool {
        var status = stat()
        return geteuid() == 0 && VMMProgram.canRunUnprivileged && stat("/dev/kvm", &status) == 0
            && status.st_mode & 0o006 == 0
    }

    @Test(.enabled(if: isKVMForItsGroupOnly, "needs root, and a /dev/kvm that is not open to everybody"))
    func `the host's KVM device that may not be opened comes with the ways to get at it`() throws {
        let run = try VMMProgram.runUnprivileged(["run", "hello"], copiedTo: folder)
        expectRefusal(run, 77, ["/dev/kvm", "EACCES", "usermod -aG kvm", "setfacl"])
    }
}
