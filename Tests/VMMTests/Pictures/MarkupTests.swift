import Testing

@testable import VMM

@Suite struct MarkupTests {
    @Test func `what is special in markup is escaped, in text and in values`() throws {
        let foreign = "</svg><script>\"a\" & 'b'</script>]]>"
        var markup = Markup()
        markup.element("text", ["class": foreign], text: foreign)
        let elements = try MarkupReader.read(markup.text, prologue: "")
        #expect(elements.map(\.name) == ["text"])
        #expect(elements.first?.text == foreign && elements.first?.attributes["class"] == foreign)
    }

    @Test func `characters that nobody sees are written out, and such as XML cannot have are replaced`() {
        #expect("a\u{0}\u{1b}[2J\u{202e}b".escapedForMarkup == "a\\u{0}\\u{1b}[2J\\u{202e}b")
        #expect("\u{ffff}\u{fffe}é漢".escapedForMarkup == "\u{fffd}\u{fffd}é漢")
    }

    @Test func `elements nest`() throws {
        var markup = Markup()
        markup.element("g", ["x": 1.005, "y": 3]) { markup in
            markup.element("g") { $0.tooltip("one") }
            markup.rectangle("bar", x: 1, y: 2, width: 3.14159, height: 4)
        }
        let elements = try MarkupReader.read(markup.text, prologue: "")
        #expect(elements.map(\.name) == ["g", "g", "title", "rect"])
        #expect(elements.last?.attributes == ["class": "bar", "x": "1", "y": "2", "width": "3.14", "height": "4"])
    }
}
