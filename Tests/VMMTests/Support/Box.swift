import Testing

@testable import VMM

/// Where words are, judged generously.
struct Box: CustomStringConvertible {
    let description: String
    let x: ClosedRange<Double>
    let y: ClosedRange<Double>

    init(_ element: MarkupReader.Element) throws {
        let size = element.classes.contains("title") ? 22.0 : element.classes.contains("value") ? 17 : 12
        let (x, line) = (try #require(element.number("x")), try #require(element.number("y")))
        // Only the title and what is above a range is cut to fit by a judgement as generous as that of labels.
        let width = TextMetrics(fontSize: size).width(of: element.text) * 0.95
        let before = element.classes.contains("middle") ? width / 2 : element.classes.contains("end") ? width : 0
        self.x = (x - before)...(x - before + width)
        // From the top of capitals to the depth of descenders.
        y = (line - size * 0.75)...(line + size * 0.2)
        description = element.text
    }

    init(bar element: MarkupReader.Element) throws {
        let (x, y) = (try #require(element.number("x")), try #require(element.number("y")))
        let (width, height) = (try #require(element.number("width")), try #require(element.number("height")))
        self.x = x...(x + width)
        self.y = y...(y + height)
        description = "a bar"
    }

    func overlaps(_ other: Box) -> Bool { x.overlaps(other.x) && y.overlaps(other.y) }
}
