import VMDirtyTracking

/// How a terminal can show levels.
enum TerminalShading: Equatable {
    /// With colours of 24 bits.
    case trueColour(halfBlocks: Bool)
    /// With the palette of 256.
    case palette(halfBlocks: Bool)
    /// With characters, the denser the more.
    case characters

    /// What the environment says of the terminal: `NO_COLOR`, `COLORTERM`, `TERM`, and the locale for blocks of half a
    /// character.
    init(environment: [String: String]) {
        let term = environment["TERM"] ?? "dumb"
        let wantsColours = environment["NO_COLOR", default: ""].isEmpty
        let halfBlocks = Self.isUnicode(environment)
        if !wantsColours || term == "dumb" {
            self = .characters
        } else if ["truecolor", "24bit"].contains(environment["COLORTERM"]) || term.hasSuffix("-direct") {
            self = .trueColour(halfBlocks: halfBlocks)
        } else if term.contains("256color") {
            self = .palette(halfBlocks: halfBlocks)
        } else {
            self = .characters
        }
    }

    /// Whether the locale's characters are UTF-8, by the first variable that says something.
    private static func isUnicode(_ environment: [String: String]) -> Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let name = locale.lowercased()
        return name.contains("utf-8") || name.contains("utf8")
    }

    /// How many levels side by side are in one character.
    var cellsPerCharacter: Int {
        switch self {
        case .trueColour(halfBlocks: true), .palette(halfBlocks: true): 2
        case .trueColour, .palette, .characters: 1
        }
    }

    /// Levels as text of `levels.count / cellsPerCharacter` characters.
    func text(_ levels: [HeatLevel]) -> String {
        switch self {
        case .characters:
            return String(levels.map(Self.character))
        case .trueColour, .palette:
            var text = ""
            var escape = ""
            for index in stride(from: 0, to: levels.count - cellsPerCharacter + 1, by: cellsPerCharacter) {
                let next = colours(levels[index..<(index + cellsPerCharacter)])
                if next != escape { text += next }
                escape = next
                text += cellsPerCharacter == 2 ? "▌" : " "
            }
            return text.isEmpty ? "" : text + "\u{1b}[0m"
        }
    }

    /// What sets the colours of one character: the left half of one in two, and the ground.
    private func colours(_ levels: ArraySlice<HeatLevel>) -> String {
        let kinds = levels.count == 2 ? ["38", "48"] : ["48"]
        let parameters = zip(kinds, levels).map { kind, level in
            let colour = HeatmapColours.pairs[level.index].dark
            return switch self {
            case .trueColour: "\(kind);2;\(colour.red);\(colour.green);\(colour.blue)"
            case .palette, .characters: "\(kind);5;\(colour.terminalIndex)"
            }
        }
        return "\u{1b}[\(parameters.joined(separator: ";"))m"
    }

    private static func character(_ level: HeatLevel) -> Character {
        let shades: [Character] = [" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"]
        if level == .none { return shades[0] }
        if level == .all { return shades[shades.count - 1] }
        return shades[1 + (level.index - 1) * (shades.count - 2) / (HeatLevel.count - 2)]
    }
}
