import VMDirtyTracking

/// What a demonstration found out, as a page for browsers. One file, without scripts, nothing to load.
struct MigrationPage {
    let recording: MigrationRecording

    init(_ recording: MigrationRecording) {
        self.recording = recording
    }

    private static let title = "Migration of a running guest"

    var document: String {
        var markup = Markup()
        markup.verbatim("<!DOCTYPE html>\n")
        markup.element("html", ["lang": "en"]) { markup in
            markup.element("head") { markup in
                markup.element("meta", ["charset": "utf-8"])
                markup.element("meta", ["name": "viewport", "content": "width=device-width"])
                markup.element("meta", ["name": "color-scheme", "content": "light dark"])
                markup.element("title", text: Self.title)
                markup.verbatim(Self.style)
            }
            markup.element("body") { drawBody(&$0) }
        }
        return markup.text
    }

    private func drawBody(_ markup: inout Markup) {
        markup.element("h1", text: Self.title)
        markup.element("p", text: lead)
        drawHeadline(&markup)
        let isProved = MigrationProof.all(recording).allSatisfy(\.holds)
        section(&markup, isProved ? "Nothing was lost" : "Not all is proved") { drawProofs(&$0) }
        section(&markup, "Round by round") { markup in
            let panels = RoundPanels(recording.progress, recording.parameters)
            drawPicture(&markup, "Rounds", panels.all)
            drawRounds(&markup)
        }
        if let heatmap = recording.heatmap {
            section(&markup, "Memory written meanwhile") { markup in
                let method = recording.method?.displayName ?? ""
                drawPicture(
                    &markup, "Memory written", [RoundHeatmap(heatmap, guest: "dirty", method: method)])
            }
        }
        section(&markup, "What the guest stood still for") { markup in
            drawPicture(&markup, "Downtime", [DowntimeBar(recording)])
            drawStages(&markup)
        }
        section(&markup, "Parameters and host") { markup in
            markup.element("div", ["class": "columns"]) { markup in
                drawParameters(&markup)
                drawHost(&markup)
            }
        }
    }

    private var lead: String {
        let progress = recording.progress
        return
            "\(recording.guest). After \(DurationText.rounded(recording.timeBefore)) it moved from one process to another "
            + "while it ran. That took \(DurationText.rounded(progress.totalTime)); it stood still for "
            + "\(DurationText.rounded(recording.downtime)) of it, and for \(DurationText.rounded(recording.comparison)) more so that "
            + "both sides could compare its memory. It ran on for \(DurationText.rounded(recording.timeAfter)), and ended."
    }

    private func section(_ markup: inout Markup, _ title: String, _ content: (inout Markup) -> Void) {
        markup.element("section") { markup in
            markup.element("h2", text: title)
            content(&markup)
        }
    }

    /// Beside a window's edge where that is narrower than the picture.
    private func drawPicture(_ markup: inout Markup, _ title: String, _ parts: [any PicturePart]) {
        markup.element("div", ["class": "wide"]) { StackedPicture(title: title, parts: parts).draw(&$0) }
    }
}
