extension String {
    /// The same with control and line-breaking characters written as `\u{…}`.
    package var escapingControlCharacters: String {
        guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
        var printable = ""
        for scalar in unicodeScalars {
            if scalar.isUnprintable {
                printable += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                printable.unicodeScalars.append(scalar)
            }
        }
        return printable
    }
}

extension Unicode.Scalar {
    fileprivate var isUnprintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
