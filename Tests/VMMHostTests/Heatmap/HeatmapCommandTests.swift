import FoundationEssentials
import TestSupport
import Testing

/// `vmm heatmap`: where it draws, what it says, and what it refuses.
@Suite(.needsKVM, .serialized) struct HeatmapCommandTests {
    private static let guest = ["-m", "64M", "dirty", "--", "--set", "8M", "--report", "0"]

    private func contents(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    @Test(arguments: ["log", "manual", "ring"]) func `it draws what the guest writes, by each method`(_ method: String)
        throws
    {
        let folder = try TemporaryFolder()
        let path = folder.path + "/map.svg"
        let run = try VMMProgram.run(
            ["heatmap", "--seconds", "1", "--output", path, "--dirty-tracking", method] + Self.guest)
        guard run.ending != .exited(64) else {
            // Only for what the host does not have.
            return expectRefusal(run, 64, ["--dirty-tracking", "cannot track dirty pages", method])
        }
        #expect(run.ending == .exited(0) && run.errors.isEmpty)
        #expect(run.text.contains("Working set  8") && run.text.contains(" of 64 MiB"), "\(run.text)")
        let picture = try contents(path)
        #expect(picture.contains("<svg") && picture.contains("</svg>"))
        #expect(picture.contains("Guest memory written by dirty") && picture.contains(">ram<"))
    }

    @Test func `it draws a page, over a longer one that is there`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("map.html", [0x78], size: 1 << 20)
        let run = try VMMProgram.run(["heatmap", "--seconds", "0.3", "--output", path] + Self.guest)
        #expect(run.ending == .exited(0))
        let page = try contents(path)
        #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("</html>") && !page.contains("xxxx"))
    }

    @Test func `it draws lines while the guest runs, and ends with it`() throws {
        let run = try VMMProgram.run(
            [
                "heatmap", "--live", "--interval", "50ms", "-m", "64M", "dirty", "--", "--set", "8M", "--rate", "40M",
                "--passes", "3",
            ])
        #expect(run.ending == .exited(0) && run.errors.isEmpty)
        let lines = run.text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 80 && !$0.unicodeScalars.contains { $0.value < 32 } })
        #expect(lines.count { $0.contains("MiB/s") && $0.contains(" s :") } > 4)
        #expect(!run.text.contains("pass 1 ok"))
    }

    @Test func `a guest that ends at once is drawn as well`() throws {
        let run = try VMMProgram.run(["heatmap", "--live", "hello"])
        #expect(run.ending == .exited(0) && run.text.contains("1 interval"))
    }

    @Test func `a guest that crashes is told of, and the status is its`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/map.svg"
        let run = try VMMProgram.run(["heatmap", "--output", path, "fault", "--", "ud2"])
        #expect(run.ending == .exited(70) && run.errors.hasPrefix("vmm: guest crashed: "))
        #expect(try contents(path).contains("<svg"))
    }

    @Test func `what cannot be drawn is refused before the guest runs`() throws {
        expectRefusal(try VMMProgram.run(["heatmap", "hello"]), 64, ["--output", "--live"])
        expectRefusal(
            try VMMProgram.run(["heatmap", "--output", "map.png", "hello"]), 64, ["--output", ".svg or .html"])
        expectRefusal(
            try VMMProgram.run(["heatmap", "--output", "/nowhere/map.svg", "hello"]), 73,
            ["--output", "/nowhere/map.svg", "No such file"])
        expectRefusal(
            try VMMProgram.run(["heatmap", "--live", "--interval", "never", "hello"]), 64, ["--interval", "100ms"])
        expectRefusal(
            try VMMProgram.run(["heatmap", "--live", "--dirty-tracking", "off", "hello"]), 64,
            ["--dirty-tracking", "off"])
    }
}
