import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMM

@Suite struct TerminalHeatmapTests {
    static let shadings: [TerminalShading] = [
        .trueColour(halfBlocks: true), .trueColour(halfBlocks: false), .palette(halfBlocks: true),
        .palette(halfBlocks: false), .characters,
    ]

    @Test(arguments: Memories.all, shadings) func `no line is wider than the terminal, nor narrower`(
        _ memory: [Range<UInt64>], _ shading: TerminalShading
    ) throws {
        let heatmap = try recording(of: memory, intervals: 2)
        let row = try #require(heatmap.rows.last)
        for width in Array(1...60) + [80, 133, 400] {
            let view = TerminalHeatmap(heatmap.axis, width: width, shading)
            #expect(visible(view.line(row)).count == width)
            #expect(view.header.allSatisfy { visible($0).count <= width })
        }
        for width in [0, -1, Int.min] {
            #expect(visible(TerminalHeatmap(heatmap.axis, width: width, shading).line(row)).count == 1)
        }
    }

    @Test func `a line has the time, the map, the rate and the working set`() throws {
        let axis = HeatmapAxis([pages(0..<22)], columnLimit: 1024)
        var recorder = try HeatmapRecorder(axis: axis)
        recorder.addInterval(until: .milliseconds(500), runs: [pages(0..<1), pages(2..<4), pages(20..<21)])
        let view = TerminalHeatmap(axis, width: 40, .characters)
        let row = try #require(recorder.heatmap.rows.first)
        // Eleven characters of two pages each.
        #expect(view.line(row).hasPrefix("  0.5 s "))
        #expect(view.line(row).hasSuffix(" 32.0 KiB/s  16.0 KiB"))
        let map = view.line(row).dropFirst(8).prefix(11)
        #expect(map.filter { $0 == "@" }.count >= 1 && map.filter { $0 == " " }.count >= 6)
    }

    @Test func `narrow terminals have the map at least`() throws {
        let heatmap = try recording(of: Memories.small, intervals: 1)
        let row = try #require(heatmap.rows.first)
        #expect(TerminalHeatmap(heatmap.axis, width: 39, .characters).line(row).hasSuffix("/s"))
        #expect(!TerminalHeatmap(heatmap.axis, width: 29, .characters).line(row).contains("/s"))
        #expect(!TerminalHeatmap(heatmap.axis, width: 19, .characters).line(row).contains(" s "))
    }

    @Test func `the header says what is where`() {
        let axis = HeatmapAxis([pages(0..<0xc0000), pages(0x100000..<0x140000)], columnLimit: 1024)
        let header = TerminalHeatmap(axis, width: 100, .characters).header
        #expect(header.count == 3)
        #expect(header[0].contains("none") && header[0].contains("all") && header[0].contains("MiB a cell"))
        #expect(header[1].contains("0 ") && header[1].contains("3 GiB  4 GiB") && header[1].contains("5 GiB"))
        #expect(header[2].contains(":"))
    }

    @Test func `two cells share a character that has two halves, each with its colour`() {
        let colours = HeatmapColours.pairs.map(\.dark)
        let text = TerminalShading.trueColour(halfBlocks: true).text([.none, .all])
        let (left, right) = (colours[0], colours[HeatLevel.all.index])
        #expect(
            text
                == "\u{1b}[38;2;\(left.red);\(left.green);\(left.blue);48;2;\(right.red);\(right.green);\(right.blue)m▌\u{1b}[0m"
        )
        let palette = TerminalShading.palette(halfBlocks: false).text([.all, .all])
        #expect(palette == "\u{1b}[48;5;\(right.terminalIndex)m  \u{1b}[0m")
    }

    @Test func `characters get denser from level to level, and nothing and everything have their own`() {
        let text = TerminalShading.characters.text(HeatLevel.allCases)
        #expect(text.first == " " && text.last == "@")
        #expect(text.filter { $0 == " " }.count == 1 && text.filter { $0 == "@" }.count == 1)
        #expect(Set(text) == Set(" .:-=+*#%@"))
    }

    @Test(
        arguments: [
            ([:], .characters),
            (["TERM": "dumb", "COLORTERM": "truecolor"], .characters),
            (["TERM": "xterm"], .characters),
            (["TERM": "xterm-256color"], .palette(halfBlocks: false)),
            (["TERM": "xterm-256color", "LANG": "en_GB.UTF-8"], .palette(halfBlocks: true)),
            (["TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C"], .palette(halfBlocks: false)),
            (["TERM": "xterm-256color", "LANG": "C.utf8", "LC_ALL": ""], .palette(halfBlocks: true)),
            (["TERM": "xterm", "COLORTERM": "truecolor"], .trueColour(halfBlocks: false)),
            (["TERM": "xterm-direct", "LC_CTYPE": "C.UTF-8"], .trueColour(halfBlocks: true)),
            (["TERM": "xterm", "COLORTERM": "24bit", "NO_COLOR": "1"], .characters),
            (["TERM": "xterm", "COLORTERM": "24bit", "NO_COLOR": ""], .trueColour(halfBlocks: false)),
        ] as [([String: String], TerminalShading)])
    func `the environment decides what the terminal can show`(
        _ environment: [String: String], _ shading: TerminalShading
    ) {
        #expect(TerminalShading(environment: environment) == shading)
    }

    /// A line without what sets colours.
    private func visible(_ line: String) -> String {
        var text = ""
        var isEscape = false
        for scalar in line.unicodeScalars {
            if scalar == "\u{1b}" { isEscape = true }
            if !isEscape { text.unicodeScalars.append(scalar) }
            if isEscape, scalar == "m" { isEscape = false }
        }
        return text
    }
}
