/// XML, or HTML written as XML, in the making. Names are the program's own; text and values are escaped.
struct Markup {
    typealias Attributes = KeyValuePairs<String, any MarkupValue>

    private(set) var text = ""

    /// An element without content.
    mutating func element(_ name: String, _ attributes: Attributes = [:]) {
        open(name, attributes)
        text += "/>\n"
    }

    /// An element with nothing but text in it.
    mutating func element(_ name: String, _ attributes: Attributes = [:], text content: String) {
        open(name, attributes)
        text += ">" + content.escapedForMarkup + "</\(name)>\n"
    }

    /// An element with what `content` writes in it.
    mutating func element(_ name: String, _ attributes: Attributes = [:], _ content: (inout Markup) -> Void) {
        open(name, attributes)
        text += ">\n"
        content(&self)
        text += "</\(name)>\n"
    }

    /// Markup that is some already, such as a style sheet.
    mutating func verbatim(_ markup: String) {
        text += markup
    }

    private mutating func open(_ name: String, _ attributes: Attributes) {
        text += "<" + name
        for (key, value) in attributes { text += " \(key)=\"\(value.attributeText)\"" }
    }
}

extension Markup {
    /// Text that is shown when the pointer rests on the element it is in.
    mutating func tooltip(_ words: String) {
        element("title", text: words)
    }

    mutating func rectangle(_ kind: String, x: Double, y: Double, width: Double, height: Double) {
        element("rect", ["class": kind, "x": x, "y": y, "width": width, "height": height])
    }

    mutating func rectangle(
        _ kind: String, x: Double, y: Double, width: Double, height: Double, tooltip words: String
    ) {
        element("rect", ["class": kind, "x": x, "y": y, "width": width, "height": height]) { $0.tooltip(words) }
    }

    mutating func line(_ kind: String, from start: (x: Double, y: Double), to end: (x: Double, y: Double)) {
        element("line", ["class": kind, "x1": start.x, "y1": start.y, "x2": end.x, "y2": end.y])
    }

    mutating func words(_ kind: String, x: Double, y: Double, _ words: String) {
        element("text", ["class": kind, "x": x, "y": y], text: words)
    }
}
