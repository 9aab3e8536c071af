import VMState

extension String {
    /// Text of anybody in one line that cannot drive a terminal: what controls how text is shown, or shows nothing, becomes
    /// U+FFFD, and what is longer is cut.
    /// - Parameter limit: in bytes of UTF-8.
    init(printable text: String, limit: Int) {
        var scalars = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            let printed = scalar.isPrintable ? scalar : "\u{fffd}"
            count += UTF8.width(printed)
            guard count <= limit else { break }
            scalars.append(printed)
        }
        self.init(scalars)
    }
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

extension StateArchive {
    /// Text of bounded length, made printable.
    mutating func printable(
        _ name: StaticString, _ text: inout String, limit: Int
    ) throws(StateError) {
        try self.text(name, &text)
        guard text.utf8.count <= limit else {
            throw refusal(name, "has \(text.utf8.count) bytes, more than \(limit)")
        }
        // What is replaced can be shorter than what replaces it.
        text = String(printable: text, limit: limit)
    }
}
