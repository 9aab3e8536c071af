import VMBoot

extension String {
    /// It as text or attribute value of XML and HTML. Control characters, and those that turn the direction of text, are
    /// written as `\u{…}`.
    var escapedForMarkup: String {
        var markup = ""
        for scalar in escapingControlCharacters.unicodeScalars {
            switch scalar {
            case "&": markup += "&amp;"
            case "<": markup += "&lt;"
            case ">": markup += "&gt;"
            case "\"": markup += "&quot;"
            case "'": markup += "&#39;"
            // XML has no way to write the two.
            case "\u{fffe}", "\u{ffff}": markup += "\u{fffd}"
            default: markup.unicodeScalars.append(scalar)
            }
        }
        return markup
    }
}

/// What an attribute can be set to.
protocol MarkupValue {
    var attributeText: String { get }
}

extension String: MarkupValue {
    var attributeText: String { escapedForMarkup }
}

extension Int: MarkupValue {
    var attributeText: String { description }
}

extension Double: MarkupValue {
    /// A coordinate, to a hundredth.
    var attributeText: String { decimal(places: 2) }
}
