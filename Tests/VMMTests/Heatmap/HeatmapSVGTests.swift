import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMM

@Suite struct HeatmapSVGTests {
    private static let prologue = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    private static let foreign = "</text><script>alert(\"1\")</script>&\u{1b}[2J\u{202e}"

    private func caption(_ memory: [Range<UInt64>], guest: String = "hello") -> HeatmapCaption {
        HeatmapCaption(
            guest: guest, method: "dirty log", interval: .milliseconds(50),
            regions: memory.enumerated().map { .init(name: "\(guest) \($0)", range: pages($1)) })
    }

    @Test(arguments: Memories.all) func `a picture is well-formed, whatever names are in it`(
        _ memory: [Range<UInt64>]
    ) throws {
        let svg = HeatmapSVG(try recording(of: memory), caption(memory, guest: Self.foreign)).document
        let elements = try MarkupReader.read(svg, prologue: Self.prologue)
        #expect(elements.first?.name == "svg")
        #expect(Set(elements.map(\.name)).isDisjoint(with: ["script", "image", "foreignObject", "a"]))
        let attributes = Set(elements.flatMap(\.attributes.keys))
        #expect(attributes.allSatisfy { !$0.hasPrefix("on") && !$0.hasSuffix("href") })
    }

    @Test(arguments: Memories.all, [1, 60]) func `no words overlap, nor are they over bars, and none leave the picture`(
        _ memory: [Range<UInt64>], _ intervals: Int
    ) throws {
        let picture = HeatmapSVG(try recording(of: memory, intervals: intervals), caption(memory))
        let elements = try MarkupReader.read(picture.document, prologue: Self.prologue)
        let boxes = try elements.filter { $0.name == "text" }.map { try Box($0) }
        let bars = try elements.filter { $0.name == "rect" && $0.classes.contains("bar") }.map { try Box(bar: $0) }
        #expect(boxes.count > 20 && !bars.isEmpty)
        for (index, box) in boxes.enumerated() {
            #expect(box.x.lowerBound >= 0 && box.x.upperBound <= picture.layout.width, "\(box)")
            #expect(box.y.lowerBound >= 0 && box.y.upperBound <= picture.layout.height, "\(box)")
            let overlapping = (boxes[(index + 1)...] + bars).filter(box.overlaps)
            #expect(overlapping.isEmpty, "\(box) and \(overlapping)")
        }
    }

    @Test(arguments: Memories.all) func `each cell has the colour of its level`(_ memory: [Range<UInt64>]) throws {
        let heatmap = try recording(of: memory, intervals: 50, rowLimit: 16)
        let picture = HeatmapSVG(heatmap, caption(memory))
        let drawn = try Cells(picture)
        for (index, row) in heatmap.rows.enumerated() {
            let levels = heatmap.axis.columns.map { column in
                HeatLevel(
                    pages: row.pages[column], of: heatmap.axis.pageCount(ofColumn: column),
                    intervalCount: row.intervalCount
                ).index
            }
            #expect(drawn.levels[index] == levels)
        }
    }

    @Test func `a map of nothing but noise takes less than 2 MB`() throws {
        let axis = HeatmapAxis([pages(0..<(1024 * 1024))], columnLimit: HeatmapLayout.columnLimit)
        var recorder = try HeatmapRecorder(axis: axis)
        var random = SeededGenerator(seed: 9)
        for interval in 1...256 {
            for column: UInt64 in 0..<1024 {
                // As many of each level.
                let root = Double.random(in: 0...1, using: &random)
                let count = UInt64(root * root * root * 1023) + 1
                recorder.add(pages((column * 1024)..<(column * 1024 + count)))
            }
            recorder.endInterval(at: .milliseconds(interval))
        }
        let size = HeatmapSVG(recorder.heatmap, caption([])).document.utf8.count
        #expect(size > 1_000_000 && size < 2_000_000)
    }

    @Test func `before anything is recorded, and without memory, there is a picture too`() throws {
        for memory in [[], Memories.small] {
            let empty = Heatmap(axis: HeatmapAxis(memory.map(pages), columnLimit: 1024))
            let svg = HeatmapSVG(empty, caption(memory)).document
            #expect(try !MarkupReader.read(svg, prologue: Self.prologue).isEmpty)
        }
    }

    @Test func `a page is well-formed, and has the numbers as tables`() throws {
        let heatmap = try recording(of: Memories.large)
        let page = HeatmapPage(heatmap, caption(Memories.large, guest: Self.foreign)).document
        let elements = try MarkupReader.read(page, prologue: "<!DOCTYPE html>\n")
        #expect(Set(elements.map(\.name)).isDisjoint(with: ["script", "link", "img", "iframe"]))
        let cells = elements.filter { $0.name == "td" }.map(\.text)
        #expect(cells.contains("</text><script>alert(\"1\")</script>&\\u{1b}[2J\\u{202e}"))
        #expect(cells.contains(ByteText.rounded(Double(heatmap.totals.workingSet) * 4096)))
        #expect(cells.contains("\(heatmap.totals.pageCount.grouped) pages of 4 KiB"))
        let names = elements.filter { $0.name == "th" }.map(\.text)
        #expect(names.contains("Elsewhere") == (heatmap.totals.elsewhere > 0))
    }
}

/// The levels that a picture's paths draw, by row and column.
private struct Cells {
    private(set) var levels: [[Int]]

    init(_ picture: HeatmapSVG) throws {
        levels = picture.heatmap.rows.map { $0.pages.map { _ in 0 } }
        let elements = try MarkupReader.read(
            picture.document, prologue: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        var origin = 0
        for element in elements {
            if element.name == "g", let transform = element.attributes["transform"] {
                let x = try #require(transform.split { "( )".contains($0) }.dropFirst().first.flatMap { Double($0) })
                let segment = picture.layout.columns.segments.min { abs($0.x - x) < abs($1.x - x) }
                origin = try #require(segment).columns.lowerBound
            }
            guard element.name == "path", let level = element.classes.first.flatMap({ Int($0.dropFirst()) }) else {
                continue
            }
            try draw(try #require(element.attributes["d"]), level, origin)
        }
    }

    private mutating func draw(_ data: String, _ level: Int, _ origin: Int) throws {
        var numbers: [Int] = []
        var column = origin
        var row = 0
        for step in data.split(separator: "h").flatMap({ $0.split { "Mm".contains($0) } }) {
            numbers += step.replacing(".5", with: "").replacing("-", with: " -").split(separator: " ").compactMap {
                Int($0)
            }
        }
        try #require(numbers.count.isMultiple(of: 3))
        for index in stride(from: 0, to: numbers.count, by: 3) {
            column += numbers[index]
            row += numbers[index + 1]
            let cells = column..<(column + numbers[index + 2])
            try #require(levels.indices.contains(row) && cells.upperBound <= levels[row].count)
            // No cell is drawn twice.
            #expect(levels[row][cells].allSatisfy { $0 == 0 })
            for cell in cells { levels[row][cell] = level }
            column = cells.upperBound
        }
    }
}
