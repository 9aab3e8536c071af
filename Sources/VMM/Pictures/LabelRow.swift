/// Labels side by side, none over another nor outside the row: those placed first stay, and a later one for which there
/// is no room is left out.
struct LabelRow {
    /// A label and the room it takes.
    struct Label: Equatable {
        let text: String
        /// What it is about: it is there, or as near to it as the row's ends allow.
        let anchor: Double
        let extent: ClosedRange<Double>

        var centre: Double { (extent.lowerBound + extent.upperBound) / 2 }
    }

    let bounds: ClosedRange<Double>
    let metrics: TextMetrics
    /// At least so much is free between two labels.
    let gap: Double
    private(set) var labels: [Label] = []

    init(in bounds: ClosedRange<Double>, _ metrics: TextMetrics, gap: Double) {
        self.bounds = bounds
        self.metrics = metrics
        self.gap = gap
    }

    /// Which part of a label is at its anchor.
    enum Alignment {
        case start, centre, end
    }

    /// - Parameter distance: between the anchor and the label's start or end, where one of those is to be there.
    /// - Returns: whether there was room.
    @discardableResult
    mutating func place(
        _ text: String, at anchor: Double, _ alignment: Alignment = .centre, distance: Double = 0
    ) -> Bool {
        let width = metrics.width(of: text)
        guard width <= bounds.upperBound - bounds.lowerBound else { return false }
        let before =
            switch alignment {
            case .start: -distance
            case .centre: width / 2
            case .end: width + distance
            }
        let start = min(max(anchor - before, bounds.lowerBound), bounds.upperBound - width)
        let label = Label(text: text, anchor: anchor, extent: start...(start + width))
        let isFree = labels.allSatisfy { other in
            label.extent.lowerBound >= other.extent.upperBound + gap
                || other.extent.lowerBound >= label.extent.upperBound + gap
        }
        if isFree { labels.append(label) }
        return isFree
    }
}

/// How much room text takes, judged without its font: rather too much than too little.
struct TextMetrics: Equatable {
    /// Of a character that is not wide.
    let characterWidth: Double

    /// - Parameter fontSize: of a sans-serif face, in the unit of the widths. Digits of a wide one are 0.64 of it.
    init(fontSize: Double) {
        characterWidth = fontSize * 0.64
    }

    private init(characterWidth: Double) {
        self.characterWidth = characterWidth
    }

    /// Each character takes a cell; wide ones, two.
    static let terminal = TextMetrics(characterWidth: 1)

    func width(of text: String) -> Double {
        text.unicodeScalars.reduce(0) { $0 + ($1.isWide ? 2 : 1) } * characterWidth
    }

    /// As much of the text as fits, with an ellipsis where some is left out; nil where that would be a letter or less.
    func fitting(_ text: String, _ room: Double) -> String? {
        if width(of: text) <= room { return text }
        var shortened = text
        while shortened.count > 2 {
            shortened.removeLast()
            if width(of: shortened + "…") <= room { return shortened + "…" }
        }
        return nil
    }
}

extension Unicode.Scalar {
    /// Whether it is of a script whose characters fill a square, or a symbol that does.
    fileprivate var isWide: Bool {
        switch value {
        case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
            0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
            true
        default: false
        }
    }
}
