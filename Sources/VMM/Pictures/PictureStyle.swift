/// How pictures look: the style sheet that all of them share, for light and dark surroundings and for paper.
enum PictureStyle {
    /// A colour for each surrounding.
    struct Pair {
        let light: Colour
        let dark: Colour

        init(_ light: UInt32, _ dark: UInt32) {
            self.light = Colour(light)
            self.dark = Colour(dark)
        }

        init(_ light: Colour, _ dark: Colour) {
            self.light = light
            self.dark = dark
        }
    }

    /// A property of the elements of a class.
    struct Rule {
        let selector: String
        let property: String
        let colours: Pair

        init(_ selector: String, _ property: String, _ colours: Pair) {
            self.selector = selector
            self.property = property
            self.colours = colours
        }

        fileprivate func css(_ colour: Colour) -> String { "\(selector){\(property):\(colour.css)}" }
    }

    static let paper = Pair(0xffffff, 0x0d1117)
    static let ink = Pair(0x1b1f24, 0xe6edf3)
    static let faint = Pair(0x59636e, 0x9aa4af)
    static let grid = Pair(0xd0d7de, 0x343b44)
    /// The ground that data is drawn on.
    static let ground = Pair(0xf1f3f5, 0x171b22)
    static let bar = Pair(0x4b7fb5, 0x5f95cf)
    static let area = Pair(0xb6d3ee, 0x2c4d70)
    static let curve = Pair(0x14508c, 0x9ccbff)

    /// A style element for a picture.
    /// - Parameter rules: of this picture, besides those that all have.
    static func sheet(_ rules: [Rule] = []) -> String {
        var selectors: Set<String> = []
        let rules = (common + rules).filter { selectors.insert("\($0.selector) \($0.property)").inserted }
        let light = rules.map { $0.css($0.colours.light) }.joined(separator: "\n")
        let dark = rules.map { $0.css($0.colours.dark) }.joined(separator: "\n")
        return """
            <style>
            \(fixed)
            \(light)
            @media screen and (prefers-color-scheme:dark){
            \(dark)
            }
            </style>

            """
    }

    private static let fixed = """
        .picture text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;\
        font-size:12px;font-variant-numeric:tabular-nums}
        .picture .title{font-size:22px;font-weight:600}
        .picture .value{font-size:17px;font-weight:600}
        .picture .middle{text-anchor:middle}
        .picture .end{text-anchor:end}
        .picture .curve{fill:none;stroke-width:2;stroke-linejoin:round}
        .picture .touch{fill-opacity:0}
        .picture .touch:hover{fill-opacity:.22}
        """

    private static let common = [
        // What a window has around a picture that is a file of its own.
        Rule(".picture:root", "background", paper),
        Rule(".picture .paper", "fill", paper),
        Rule(".picture text", "fill", ink),
        Rule(".picture .faint", "fill", faint),
        Rule(".picture .ground", "fill", ground),
        Rule(".picture .grid", "stroke", grid),
        Rule(".picture .tick", "stroke", faint),
        Rule(".picture .bar", "fill", bar),
        Rule(".picture .area", "fill", area),
        Rule(".picture .curve", "stroke", curve),
        Rule(".picture .touch", "fill", faint),
    ]
}
