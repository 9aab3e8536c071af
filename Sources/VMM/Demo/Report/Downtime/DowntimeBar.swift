import VMMigration

/// What a guest stood still for, as a bar from the first to the last, and the key to it.
struct DowntimeBar: PicturePart {
    let title: String
    let stages: [DowntimeStage]
    let total: Duration

    init(_ recording: MigrationRecording) {
        title =
            "\(DurationText.rounded(recording.downtime)), and \(DurationText.rounded(recording.comparison)) to compare the memory"
        stages = recording.progress.downtimeStages
        total = recording.progress.downtime ?? .zero
    }

    private static let barTop = 50.0
    private static let barHeight = 34.0
    private static let keyColumns = 3
    private static let keyRow = 24.0
    /// So that a stage that took next to nothing can be seen.
    private static let narrowest = 1.5

    private var keyTop: Double { Self.barTop + Self.barHeight + 26 }
    private var keyRows: Int { (stages.count + Self.keyColumns - 1) / Self.keyColumns }
    var height: Double { keyTop + Double(max(keyRows, 1)) * Self.keyRow - 8 }

    var rules: [PictureStyle.Rule] { DowntimeColours.rules(".picture", "fill") }

    func draw(_ markup: inout Markup) {
        let line = StackedPicture.margin...StackedPicture.line.upperBound
        markup.words("", x: line.lowerBound, y: 14, "The guest stood still for \(title)")
        let width = line.upperBound - line.lowerBound
        markup.rectangle("ground", x: line.lowerBound, y: Self.barTop, width: width, height: Self.barHeight)
        var labels = LabelRow(in: line, StackedPicture.metrics, gap: 8)
        for segment in segments(line) {
            markup.rectangle(
                DowntimeColours.kind(segment.stage.name), x: segment.x, y: Self.barTop, width: segment.width,
                height: Self.barHeight, tooltip: words(segment.stage))
        }
        // The longest first: where there is no room for all, those stay.
        for segment in segments(line).sorted(by: { $0.width > $1.width }) {
            let text = segment.stage.name.rawValue
            guard StackedPicture.metrics.width(of: text) <= segment.width + 60 else { continue }
            labels.place(text, at: segment.x + segment.width / 2)
        }
        for label in labels.labels { markup.words("faint middle", x: label.centre, y: Self.barTop - 9, label.text) }
        drawKey(&markup, line)
    }

    private func drawKey(_ markup: inout Markup, _ line: ClosedRange<Double>) {
        let width = (line.upperBound - line.lowerBound) / Double(Self.keyColumns)
        for (index, stage) in stages.enumerated() {
            let x = line.lowerBound + width * Double(index % Self.keyColumns)
            let y = keyTop + Self.keyRow * Double(index / Self.keyColumns)
            markup.rectangle(DowntimeColours.kind(stage.name), x: x, y: y - 10, width: 12, height: 12)
            markup.words("", x: x + 20, y: y, stage.name.rawValue)
            markup.words("faint end", x: x + width - 40, y: y, DurationText.rounded(stage.duration))
        }
    }

    private func words(_ stage: DowntimeStage) -> String {
        "\(stage.name.rawValue): \(DurationText.rounded(stage.duration))"
    }

    private struct Segment {
        let stage: DowntimeStage
        let x: Double
        let width: Double
    }

    /// Where the stages are on the bar. What belongs to none is at the end.
    private func segments(_ line: ClosedRange<Double>) -> [Segment] {
        let room = line.upperBound - line.lowerBound
        let measured = stages.reduce(Duration.zero) { $0 + $1.duration }
        let whole = max(total, measured)
        guard whole > .zero else { return [] }
        let widths = stages.map { max(Self.narrowest, room * ($0.duration / whole)) }
        let excess = max(1, widths.reduce(0, +) / room)
        var x = line.lowerBound
        return zip(stages, widths).map { stage, width in
            defer { x += width / excess }
            return Segment(stage: stage, x: x, width: width / excess)
        }
    }
}

/// The colours of stages, in pictures and in tables.
enum DowntimeColours {
    private static let pairs: [DowntimeStage.Name: PictureStyle.Pair] = [
        .stopProcessors: .init(0x4b7fb5, 0x5f95cf), .harvest: .init(0x1f8a7d, 0x3cb8a9),
        .memory: .init(0xd9702b, 0xf0944f), .saveState: .init(0x7d5bb5, 0xa58ad6),
        .compareMemory: .init(0x9aa4af, 0x6b7681), .sendState: .init(0xc29a16, 0xe0bb45),
        .restore: .init(0xb5405a, 0xdd6b82), .handOver: .init(0x55852f, 0x86b85f),
    ]

    /// The class of a stage's elements.
    static func kind(_ name: DowntimeStage.Name) -> String {
        "s\(DowntimeStage.Name.allCases.firstIndex(of: name) ?? 0)"
    }

    static func rules(_ scope: String, _ property: String) -> [PictureStyle.Rule] {
        DowntimeStage.Name.allCases.map { name in
            PictureStyle.Rule("\(scope) .\(kind(name))", property, pairs[name] ?? PictureStyle.bar)
        }
    }
}
