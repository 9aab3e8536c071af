/// A part of a picture, drawn from its own top; as wide as the picture.
protocol PicturePart {
    /// Room beneath it not included.
    var height: Double { get }
    /// Beyond those that all pictures have.
    var rules: [PictureStyle.Rule] { get }
    func draw(_ markup: inout Markup)
}

extension PicturePart {
    var rules: [PictureStyle.Rule] { [] }
}

/// A picture of parts one below another. SVG by itself: no scripts, no fonts, nothing to load.
struct StackedPicture {
    static let width = 960.0
    /// Where data is drawn; to the left of it are the labels of axes.
    static let line = 84.0...936.0
    static let margin = 24.0
    static let fontSize = 12.0
    static let metrics = TextMetrics(fontSize: fontSize)
    private static let gap = 20.0

    /// What it is called where it is not seen.
    let title: String
    let parts: [any PicturePart]

    var height: Double {
        parts.reduce(Self.gap) { $0 + $1.height + Self.gap }
    }

    /// A file of its own.
    var document: String {
        var markup = Markup()
        markup.verbatim("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        draw(&markup)
        return markup.text
    }

    /// The picture as an element of a page.
    func draw(_ markup: inout Markup) {
        let attributes: Markup.Attributes = [
            "xmlns": "http://www.w3.org/2000/svg", "class": "picture", "role": "img",
            "viewBox": "0 0 \(Self.width.attributeText) \(height.attributeText)", "width": Self.width,
            "height": height,
        ]
        markup.element("svg", attributes) { markup in
            markup.tooltip(title)
            markup.verbatim(PictureStyle.sheet(parts.flatMap(\.rules)))
            markup.rectangle("paper", x: 0, y: 0, width: Self.width, height: height)
            var top = Self.gap
            for part in parts {
                markup.element("g", ["transform": "translate(0 \(top.attributeText))"]) { part.draw(&$0) }
                top += part.height + Self.gap
            }
        }
    }
}

/// What a picture is of, and a line of words.
struct PictureHeading: PicturePart {
    let title: String
    let words: String
    let height = 46.0

    func draw(_ markup: inout Markup) {
        let room = StackedPicture.width - 2 * StackedPicture.margin
        let large = TextMetrics(fontSize: 22)
        markup.words("title", x: StackedPicture.margin, y: 20, large.fitting(title, room) ?? "")
        markup.words("faint", x: StackedPicture.margin, y: 44, StackedPicture.metrics.fitting(words, room) ?? "")
    }
}
