import VMMigration

/// The numbers of rounds, under the last of their panels.
struct RoundAxis: PicturePart {
    let rounds: [MigrationRound]
    let height = 30.0

    private static let bounds = 24...StackedPicture.width

    func draw(_ markup: inout Markup) {
        let scale = RoundScale(rounds.count)
        var numbers = LabelRow(in: Self.bounds, StackedPicture.metrics, gap: 10)
        // The last one first, as it says most.
        if let last = rounds.last { numbers.place("\(last.number)", at: scale.centre(rounds.count - 1)) }
        let step = Int(TickSteps.decimal(atLeast: max(1, Double(rounds.count) / 24)))
        for index in stride(from: 0, to: rounds.count, by: step) {
            numbers.place("\(rounds[index].number)", at: scale.centre(index))
        }
        for label in numbers.labels {
            markup.line("tick", from: (label.anchor, -14), to: (label.anchor, -9))
            markup.words("faint middle", x: label.centre, y: 6, label.text)
        }
        drawNotes(&markup, scale)
    }

    private func drawNotes(_ markup: inout Markup, _ scale: RoundScale) {
        var notes = LabelRow(in: Self.bounds, StackedPicture.metrics, gap: 10)
        if rounds.last?.isLast == true { notes.place("guest stopped", at: scale.centre(rounds.count - 1)) }
        notes.place(
            "Rounds of the copy; in round 0 all memory is sent", at: StackedPicture.line.lowerBound, .start)
        for label in notes.labels { markup.words("faint", x: label.extent.lowerBound, y: 26, label.text) }
    }
}
