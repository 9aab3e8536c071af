import VMDirtyTracking

/// The colours of levels: on light ground, more is darker; on dark ground, more is brighter.
enum HeatmapColours {
    /// By level, the first for nothing.
    static let pairs: [PictureStyle.Pair] = (0..<HeatLevel.count).map { level in
        guard level > 0 else { return PictureStyle.ground }
        let place = Double(level - 1) / Double(HeatLevel.count - 2)
        // The ends of the scale are left out: on this ground, they would be hard to tell from it.
        return PictureStyle.Pair(ColourScale.inferno(0.88 - 0.83 * place), ColourScale.inferno(0.3 + 0.7 * place))
    }

    /// The styles of `h1` and on, for strokes and fills.
    static let rules: [PictureStyle.Rule] = (1..<HeatLevel.count).flatMap { level in
        [
            PictureStyle.Rule(".picture .cells .h\(level)", "stroke", pairs[level]),
            PictureStyle.Rule(".picture .key .h\(level)", "fill", pairs[level]),
        ]
    }
}
