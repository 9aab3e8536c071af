import FoundationEssentials
import TestSupport
import Testing

/// What `--inspect-on-exit` tells of the guest's memory.
@Suite(.needsKVM) struct InspectionTests {
    /// The tree's lines from its title on, without their alignment.
    private func tree(_ run: FinishedRun) -> [String] {
        run.errorLines.drop { !$0.hasPrefix("vmm: guest memory: ") }
            .map { $0.split(separator: " ").joined(separator: " ") }
    }

    @Test func `it shows RAM and its slot when the guest has halted`() throws {
        let run = try VMMProgram.run(["run", "--inspect-on-exit", "-m", "64M", "hello"])
        #expect(run.ending == .exited(0))
        #expect(run.text == "hello, world\n")
        let tree = tree(run)
        #expect(tree.first?.hasPrefix("vmm: guest memory: layered regions in ") == true)
        for line in [
            "ram [0x0, 0x3ffffff] 64M rwx priority 0, 64M visible", "mapping [0x0, 0x3ffffff] 64M rw ram+0x0",
            "[0x0, 0x3ffffff] 64M rwx ram+0x0 ram", "slot 0 [0x0, 0x3ffffff] 64M rw",
            "changes 1, unmaps 0, maps 1, hostOperations 1, refused 0, failed 0",
        ] { #expect(tree.contains(line), "no \(line) in \(run.errors)") }
        // The loader has written the image.
        let backing = try #require(tree.first { $0.hasPrefix("ram 64M writable, ") })
        #expect(backing.hasSuffix(" dirty pages") && !backing.hasSuffix(" 0 dirty pages"))
        #expect(run.errorLines.count == tree.count)
    }

    @Test func `it shows a ROM that covers RAM`() throws {
        let folder = try TemporaryFolder()
        let rom = try folder.file("bios.bin", [0xf4], size: 8192)
        let run = try VMMProgram.run(["run", "--inspect-on-exit", "-m", "64M", "--rom", rom + "@0xf0000", "hello"])
        #expect(run.ending == .exited(0))
        let tree = tree(run)
        for line in [
            "ram [0x0, 0x3ffffff] 64M rwx priority 0, 65528K visible",
            "rom bios.bin [0xf0000, 0xf1fff] 8K r-x priority 1, 8K visible",
            "[0x0, 0xeffff] 960K rwx ram+0x0 ram", "[0xf0000, 0xf1fff] 8K r-x rom bios.bin+0x0 rom bios.bin",
            "[0xf2000, 0x3ffffff] 64568K rwx ram+0xf2000 ram",
        ] { #expect(tree.contains(line), "no \(line) in \(run.errors)") }
        #expect(tree.contains { $0.hasPrefix("slot ") && $0.hasSuffix(" [0xf0000, 0xf1fff] 8K r-") })
    }

    @Test func `it shows them when the guest has crashed, after the crash`() throws {
        let run = try VMMProgram.run(["run", "--inspect-on-exit", "fault", "--", "null"])
        #expect(run.ending == .exited(70))
        #expect(run.errors.hasPrefix("vmm: guest crashed: "))
        let tree = tree(run)
        #expect(tree.contains { $0.hasPrefix("ram [0x0, ") })
        #expect(tree.contains { $0.hasPrefix("slot 0 [0x0, ") })
    }

    private struct Report: Decodable {
        struct Inspection: Decodable {
            struct Region: Decodable {
                let name: String
                let visibleByteCount: UInt64
            }

            struct Partition: Decodable {
                struct Slot: Decodable {
                    let number: UInt32
                    let writable: Bool
                }

                let slots: [Slot]
            }

            let policy: String
            let regions: [Region]
            let partitions: [Partition]
        }

        let inspection: Inspection?
    }

    private func report(_ flags: [String]) throws -> Report {
        let folder = try TemporaryFolder()
        let run = try VMMProgram.run(["run", "--report", folder.path("report.json"), "-m", "64M", "hello"] + flags)
        #expect(run.ending == .exited(0))
        return try JSONDecoder().decode(Report.self, from: Data(folder.contents("report.json")))
    }

    @Test func `it is in the report too, where it was asked for`() throws {
        let inspection = try #require(try report(["--inspect-on-exit"]).inspection)
        #expect(inspection.policy == "layered")
        #expect(inspection.regions.map(\.name) == ["ram"])
        #expect(inspection.regions.map(\.visibleByteCount) == [64 << 20])
        #expect(inspection.partitions.flatMap(\.slots).map(\.writable) == [true])
        #expect(try report([]).inspection == nil)
    }
}
