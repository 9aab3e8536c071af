/// A migration in one picture, for where a whole report would be too much: the pages of its rounds, and its downtime.
struct MigrationPicture {
    let recording: MigrationRecording

    init(_ recording: MigrationRecording) {
        self.recording = recording
    }

    var document: String {
        let progress = recording.progress
        let panels = RoundPanels(progress, recording.parameters)
        let words =
            "\(recording.guest) · \(ByteText.rounded(progress.transferred)) sent in "
            + DurationText.rounded(progress.totalTime)
        let parts: [any PicturePart] = [
            PictureHeading(title: "A running guest moves to another process", words: words), panels.pages, panels.time,
            panels.axis, DowntimeBar(recording),
        ]
        return StackedPicture(title: "Migration of a running guest", parts: parts).document
    }
}
