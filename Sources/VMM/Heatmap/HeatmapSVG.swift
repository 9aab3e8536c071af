import VMDirtyTracking

/// A heat map as a picture: memory across, time down, and beside it how much each row wrote.
///
/// SVG by itself: no scripts, no fonts, nothing to load. Light or dark as its surroundings are. Cells are lines, and all
/// of a colour are one path of relative steps, about seven bytes for a run of cells that look alike; so the picture stays
/// sharp at any size, in print too, and a map of nothing but noise takes less than 2 MB.
struct HeatmapSVG {
    let heatmap: Heatmap
    let caption: HeatmapCaption
    let layout: HeatmapLayout

    init(_ heatmap: Heatmap, _ caption: HeatmapCaption) {
        self.heatmap = heatmap
        self.caption = caption
        layout = HeatmapLayout(heatmap, hasRegions: !caption.regions.isEmpty)
    }

    /// For a picture that draws some parts of it.
    init(_ heatmap: Heatmap, _ caption: HeatmapCaption, _ layout: HeatmapLayout) {
        self.heatmap = heatmap
        self.caption = caption
        self.layout = layout
    }

    /// A file of its own.
    var document: String {
        var markup = Markup()
        markup.verbatim("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        draw(&markup)
        return markup.text
    }

    /// The picture as an element of a page.
    func draw(_ markup: inout Markup) {
        let attributes: Markup.Attributes = [
            "xmlns": "http://www.w3.org/2000/svg", "class": "picture", "role": "img",
            "viewBox": "0 0 \(layout.width.attributeText) \(layout.height.attributeText)",
            "width": layout.width, "height": layout.height,
        ]
        markup.element("svg", attributes) { markup in
            markup.tooltip(title)
            markup.verbatim(PictureStyle.sheet(HeatmapColours.rules))
            markup.rectangle("paper", x: 0, y: 0, width: layout.width, height: layout.height)
            drawHeading(&markup)
            drawKey(&markup)
            drawCells(&markup)
            drawGaps(&markup)
            drawAddresses(&markup)
            drawRegions(&markup)
            drawTimes(&markup)
            drawRates(&markup)
            drawWorkingSets(&markup)
            drawRowTooltips(&markup)
            drawColumnTotals(&markup)
            drawNumbers(&markup)
        }
    }

    var title: String { "Guest memory written by \(caption.guest)" }
}
