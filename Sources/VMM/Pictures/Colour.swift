/// A colour of the sRGB space.
struct Colour: Hashable {
    let red: UInt8
    let green: UInt8
    let blue: UInt8

    /// - Parameter hex: `0xRRGGBB`; what is above that does not count.
    init(_ hex: UInt32) {
        red = UInt8(truncatingIfNeeded: hex >> 16)
        green = UInt8(truncatingIfNeeded: hex >> 8)
        blue = UInt8(truncatingIfNeeded: hex)
    }

    private init(_ red: Double, _ green: Double, _ blue: Double) {
        self.red = UInt8(red.rounded())
        self.green = UInt8(green.rounded())
        self.blue = UInt8(blue.rounded())
    }

    /// As style sheets have it: `#rrggbb`.
    var css: String {
        "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// From 0, black, to 1, white, as eyes see it: the luminance of WCAG 2.2.
    var luminance: Double {
        // The curve of sRGB is close to a square between black and white.
        func linear(_ value: UInt8) -> Double { Double(value) / 255 * Double(value) / 255 }
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// The colour between `self` and `other`.
    /// - Parameter share: of `other`, from 0 to 1.
    func mixed(with other: Colour, _ share: Double) -> Colour {
        let share = max(0, min(1, share))
        func between(_ from: UInt8, _ to: UInt8) -> Double { Double(from) + (Double(to) - Double(from)) * share }
        return Colour(between(red, other.red), between(green, other.green), between(blue, other.blue))
    }

    /// Number 16 to 255 of the palette of 256 that terminals have: a cube of six by six by six colours, and 24 greys.
    var terminalIndex: Int {
        let levels = [0, 95, 135, 175, 215, 255]
        func nearest(_ value: UInt8) -> Int {
            levels.indices.min { abs(levels[$0] - Int(value)) < abs(levels[$1] - Int(value)) } ?? 0
        }
        func distance(_ red: Int, _ green: Int, _ blue: Int) -> Int {
            let differences = [red - Int(self.red), green - Int(self.green), blue - Int(self.blue)]
            return differences.reduce(0) { $0 + $1 * $1 }
        }
        let cube = (nearest(red), nearest(green), nearest(blue))
        let grey = max(0, min(23, ((Int(red) + Int(green) + Int(blue)) / 3 - 3) / 10))
        let level = 8 + 10 * grey
        let isGrey = distance(level, level, level) < distance(levels[cube.0], levels[cube.1], levels[cube.2])
        return isGrey ? 232 + grey : 16 + 36 * cube.0 + 6 * cube.1 + cube.2
    }
}

/// Colours between given ones at equal distances.
struct ColourScale {
    /// Two at least.
    let stops: [Colour]

    /// *Inferno*, a scale from black to a light yellow by purple and orange, made so that equal steps look equal, in order
    /// also to the colour-blind and in print without colours (N. Smith and S. van der Walt for matplotlib, CC0).
    static let inferno = ColourScale(
        stops: [
            0x000004, 0x160b39, 0x420a68, 0x6a176e, 0x932667, 0xbc3754, 0xdd513a, 0xf37819, 0xfca50a, 0xf6d746,
            0xfcffa4,
        ].map(Colour.init))

    /// - Parameter place: from 0, the first stop, to 1, the last.
    func callAsFunction(_ place: Double) -> Colour {
        let step = max(0, min(1, place)) * Double(stops.count - 1)
        let index = min(Int(step), stops.count - 2)
        return stops[index].mixed(with: stops[index + 1], step - Double(index))
    }
}
