import TestSupport
import Testing
import VMMigration

@testable import VMM

/// The report of a migration, and its picture: that they are well-formed and say what was found.
@Suite struct MigrationPageTests {
    private static let page = "<!DOCTYPE html>\n"
    private static let picture = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

    /// Without the style sheets, which are no markup.
    private func elements(_ document: String, _ prologue: String) throws -> [MarkupReader.Element] {
        var text = ""
        var rest = document[...]
        while let start = rest.firstRange(of: "<style>"), let end = rest.firstRange(of: "</style>\n") {
            text += rest[..<start.lowerBound]
            rest = rest[end.upperBound...]
        }
        return try MarkupReader.read(text + rest, prologue: prologue)
    }

    @Test(arguments: [0, 1, 2, 17, 100, 1000]) func `a report is well-formed, and loads nothing`(_ rounds: Int) throws {
        let recording = try MigrationRecording.sample(rounds: rounds, throttled: rounds > 10)
        let elements = try elements(MigrationPage(recording).document, Self.page)
        #expect(elements.first?.name == "html")
        #expect(Set(elements.map(\.name)).isDisjoint(with: ["script", "image", "img", "link", "foreignObject", "a"]))
        let attributes = Set(elements.flatMap(\.attributes.keys))
        #expect(attributes.allSatisfy { !$0.hasPrefix("on") && !$0.hasSuffix("href") && $0 != "src" })
        #expect(elements.contains { $0.text == "<processor> & \"co\"" })
    }

    @Test(arguments: [1, 2, 17, 100]) func `no words of the rounds overlap, and all numbers are there`(_ rounds: Int)
        throws
    {
        let recording = try MigrationRecording.sample(rounds: rounds, throttled: true)
        let parts = RoundPanels(recording.progress, recording.parameters).all
        for part in parts {
            let elements = try elements(StackedPicture(title: "", parts: [part]).document, Self.picture)
            let boxes = try elements.filter { $0.name == "text" }.map { try Box($0) }
            for (index, box) in boxes.enumerated() {
                #expect(box.x.lowerBound >= 0 && box.x.upperBound <= StackedPicture.width, "\(box)")
                let overlapping = boxes[(index + 1)...].filter(box.overlaps)
                #expect(overlapping.isEmpty, "\(box) and \(overlapping)")
            }
            for number in elements.flatMap(\.attributes.values) { #expect(!number.contains("nan") && number != "–") }
        }
        let page = try elements(MigrationPage(recording).document, Self.page)
        let texts = page.map(\.text)
        for words in [
            "100 MiB/s allowed", "\(rounds)", "300 ms allowed", "60 ms more to compare", "dirty: 4 passes ok",
        ] {
            #expect(texts.contains(words), "\(words)")
        }
        // The head, and one for each round, of one of the tables.
        #expect(page.count { $0.name == "th" && Int($0.text) != nil } == rounds)
    }

    @Test func `bars of a round are as high as its pages, one kind over the other`() throws {
        let panel = RoundPanel(
            title: "Pages", unit: .pages, plotHeight: 100,
            series: [
                .bars(kind: "bar", name: "data", values: [50, nil]),
                .bars(kind: "area", name: "zero", values: [30, 20]),
            ], tooltips: ["one", "two"])
        let elements = try elements(StackedPicture(title: "", parts: [panel]).document, Self.picture)
        let paths = elements.filter { $0.name == "path" }.compactMap { $0.attributes["d"] }
        // The scale ends at 80, the plot at 126.
        #expect(paths.count == 2)
        #expect(paths.first?.hasSuffix(" 126h56V63.5h-56z") == true, "\(paths)")
        #expect(paths.last?.contains(" 63.5h56V26h-56z") == true && paths.last?.hasSuffix(" 126h56V101h-56z") == true)
        #expect(elements.contains { $0.text == "80" })
        #expect(elements.filter { $0.classes.contains("touch") }.count == 2)
    }

    @Test func `the downtime's stages fill its bar in their order`() throws {
        let recording = try MigrationRecording.sample(rounds: 3)
        let elements = try elements(
            StackedPicture(title: "", parts: [DowntimeBar(recording)]).document, Self.picture)
        let bars = elements.filter { $0.name == "rect" && $0.number("height") == 34 && $0.classes != ["ground"] }
        #expect(bars.count == DowntimeStage.Name.allCases.count)
        var x = StackedPicture.margin
        for bar in bars {
            #expect(abs((bar.number("x") ?? 0) - x) < 0.1)
            #expect((bar.number("width") ?? 0) >= 1)
            x += bar.number("width") ?? 0
        }
        #expect(abs(x - StackedPicture.line.upperBound) < 0.1)
        let longest = try #require(bars.max { ($0.number("width") ?? 0) < ($1.number("width") ?? 0) })
        #expect(longest.attributes["class"] == DowntimeColours.kind(.compareMemory))
    }

    @Test func `no downtime is drawn as none`() throws {
        var recording = try MigrationRecording.sample(rounds: 2)
        recording.progress.downtime = nil
        recording.progress.downtimeStages = []
        let elements = try elements(
            StackedPicture(title: "", parts: [DowntimeBar(recording)]).document, Self.picture)
        #expect(elements.filter { $0.name == "rect" }.count == 2)
    }

    @Test func `a picture is a file of its own`() throws {
        let document = MigrationPicture(try .sample(rounds: 5)).document
        let elements = try elements(document, Self.picture)
        #expect(elements.first?.name == "svg")
        #expect(elements.contains { $0.text == "A running guest moves to another process" })
        #expect(document.contains("prefers-color-scheme:dark"))
    }

    @Test func `a report does not claim what is not proved`() throws {
        var recording = try MigrationRecording.sample(rounds: 3)
        #expect(MigrationPage(recording).document.contains("Nothing was lost"))
        recording.ending = .exited(1)
        let document = MigrationPage(recording).document
        #expect(!document.contains("Nothing was lost") && document.contains("Not all is proved"))
        #expect(document.contains("class=\"fails\"") && document.contains("exit status is 1"))
    }
}
