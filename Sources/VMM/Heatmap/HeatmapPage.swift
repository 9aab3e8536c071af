import VMAddressSpace
import VMDirtyTracking

/// A heat map as a page for browsers: the picture, and its numbers as tables. One file, without scripts.
struct HeatmapPage {
    let picture: HeatmapSVG

    init(_ heatmap: Heatmap, _ caption: HeatmapCaption) {
        picture = HeatmapSVG(heatmap, caption)
    }

    var document: String {
        var markup = Markup()
        markup.verbatim("<!DOCTYPE html>\n")
        markup.element("html", ["lang": "en"]) { markup in
            markup.element("head") { markup in
                markup.element("meta", ["charset": "utf-8"])
                markup.element("meta", ["name": "viewport", "content": "width=device-width"])
                markup.element("meta", ["name": "color-scheme", "content": "light dark"])
                markup.element("title", text: picture.title)
                markup.verbatim(Self.style)
            }
            markup.element("body") { markup in
                markup.element("div", ["class": "map"]) { picture.draw(&$0) }
                markup.element("div", ["class": "tables"]) { markup in
                    drawSummary(&markup)
                    drawHottest(&markup)
                }
                markup.element("p", text: Self.note)
            }
        }
        return markup.text
    }

    private static let note = """
        A page that was written counts once for each interval, however often it was written in it. \
        Rest the pointer on a row or on a bar for its numbers.
        """

    private func drawSummary(_ markup: inout Markup) {
        let caption = picture.caption
        var rows = [
            ["Guest", caption.guest, ""],
            ["Method", caption.method, "every \(DurationText.rounded(caption.interval))"],
        ]
        rows += HeatmapSummary(picture.heatmap).items.map { [$0.name, $0.value, $0.note] }
        drawTable(&markup, "Summary", ["", "", ""], rows)
    }

    /// The memory that was written most, as far as columns can tell.
    private func drawHottest(_ markup: inout Markup) {
        let hottest = HottestMemory(picture.heatmap).ranges
        guard !hottest.isEmpty else { return }
        let rows = hottest.map { range in
            [
                range.memory.map { "\($0.start) – \($0.last)" }.joined(separator: ", "),
                ByteText.rounded(Double(range.pageCount) * 4096),
                ByteText.rounded(Double(range.written) * 4096),
                range.share.decimal(places: 1) + " %",
            ]
        }
        drawTable(&markup, "Hottest memory", ["Addresses", "Size", "Written", "Of all"], rows)
    }

    private func drawTable(_ markup: inout Markup, _ title: String, _ heads: [String], _ rows: [[String]]) {
        markup.element("table") { markup in
            markup.element("caption", text: title)
            if heads.contains(where: { !$0.isEmpty }) {
                markup.element("tr") { markup in
                    for head in heads { markup.element("th", ["scope": "col"], text: head) }
                }
            }
            for row in rows {
                markup.element("tr") { markup in
                    for (index, cell) in row.enumerated() {
                        index == 0
                            ? markup.element("th", ["scope": "row"], text: cell) : markup.element("td", text: cell)
                    }
                }
            }
        }
    }

    private static let style = """
        <style>
        body{margin:0 auto;padding:8px;max-width:1440px;font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,\
        "Helvetica Neue",Arial,sans-serif;color:\(PictureStyle.ink.light.css);background:\(PictureStyle.paper.light.css)}
        .map{overflow-x:auto}
        .tables{display:flex;flex-wrap:wrap;gap:24px 64px;padding:8px 24px}
        table{border-collapse:collapse;align-self:flex-start;font-variant-numeric:tabular-nums}
        caption{text-align:left;font-weight:600;font-size:17px;padding:8px 0}
        th,td{text-align:left;font-weight:400;padding:4px 24px 4px 0;\
        border-bottom:1px solid \(PictureStyle.grid.light.css);overflow-wrap:anywhere}
        th[scope=col],p{color:\(PictureStyle.faint.light.css)}
        p{padding:0 24px}
        @media screen and (prefers-color-scheme:dark){
        body{color:\(PictureStyle.ink.dark.css);background:\(PictureStyle.paper.dark.css)}
        th,td{border-color:\(PictureStyle.grid.dark.css)}
        th[scope=col],p{color:\(PictureStyle.faint.dark.css)}
        }
        </style>

        """
}
