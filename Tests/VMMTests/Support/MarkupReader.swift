/// Reads XML as `vmm` writes it, and is strict: elements nest, values are quoted, and all that is special is escaped.
struct MarkupReader {
    /// An element's beginning, with the text that is directly in it.
    struct Element {
        let name: String
        let attributes: [String: String]
        var text = ""

        func number(_ key: String) -> Double? { attributes[key].flatMap(Double.init) }
        var classes: [Substring] { attributes["class", default: ""].split(separator: " ") }
    }

    struct Malformed: Error {
        let what: String
        let near: String
    }

    /// In the order in which they begin.
    private(set) var elements: [Element] = []
    private var open: [Int] = []
    private var rest: Substring

    /// - Parameters:
    ///   - text: a document, all of it.
    ///   - prologue: what comes before the first element.
    static func read(_ text: String, prologue: String) throws -> [Element] {
        guard text.hasPrefix(prologue) else { throw Malformed(what: "another prologue", near: String(text.prefix(80))) }
        var reader = MarkupReader(rest: text.dropFirst(prologue.count))
        try reader.readAll()
        return reader.elements
    }

    private init(rest: Substring) {
        self.rest = rest
    }

    private mutating func readAll() throws {
        while !rest.isEmpty {
            let raw = rest.prefix { $0 != "<" }
            rest = rest[raw.endIndex...]
            let text = try unescaped(raw)
            if let index = open.last {
                elements[index].text += text
            } else if text.contains(where: { !$0.isWhitespace }) || (rest.isEmpty && elements.isEmpty) {
                throw malformed("text outside of elements")
            }
            guard !rest.isEmpty else { break }
            rest.removeFirst()
            if rest.first == "/" { try readEnd() } else { try readStart() }
        }
        guard open.isEmpty else { throw malformed("an element without end") }
    }

    private mutating func readEnd() throws {
        let name = rest.dropFirst().prefix { $0 != ">" }
        guard let index = open.popLast(), elements[index].name == name else { throw malformed("the end of another") }
        rest = rest[name.endIndex...].dropFirst()
    }

    private mutating func readStart() throws {
        guard !open.isEmpty || elements.isEmpty else { throw malformed("a second root") }
        let name = readName()
        guard !name.isEmpty else { throw malformed("an element without name") }
        var attributes: [String: String] = [:]
        while rest.first == " " {
            rest.removeFirst()
            let key = readName()
            guard !key.isEmpty, attributes[key] == nil, rest.hasPrefix("=\"") else { throw malformed("an attribute") }
            rest = rest.dropFirst(2)
            let value = rest.prefix { $0 != "\"" }
            guard !value.contains("<") else { throw malformed("a value with <") }
            attributes[key] = try unescaped(value)
            rest = rest[value.endIndex...].dropFirst()
        }
        elements.append(Element(name: name, attributes: attributes))
        if rest.hasPrefix("/>") {
            rest = rest.dropFirst(2)
        } else if rest.first == ">" {
            rest.removeFirst()
            open.append(elements.count - 1)
        } else {
            throw malformed("a tag without end")
        }
    }

    private mutating func readName() -> String {
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "-:".contains($0)) }
        rest = rest[name.endIndex...]
        return String(name)
    }

    private func unescaped(_ text: Substring) throws -> String {
        guard !text.contains(">") else { throw malformed("a bare >") }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 32 || $0 == "\n" }) else { throw malformed("a control") }
        var parts = text.split(separator: "&", omittingEmptySubsequences: false)
        var result = String(parts.removeFirst())
        let entities = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "#39": "'"]
        for part in parts {
            let name = part.prefix { $0 != ";" }
            guard let value = entities[String(name)], name.count < part.count else { throw malformed("a bare &") }
            result += value + part.dropFirst(name.count + 1)
        }
        return result
    }

    private func malformed(_ what: String) -> Malformed {
        Malformed(what: what, near: String(rest.prefix(80)))
    }
}
