/// Numbers from zero to a limit, as lengths along a line.
struct LinearScale {
    /// The number at the line's end; above zero.
    let limit: Double
    /// The line, in the picture's units.
    let line: ClosedRange<Double>

    /// - Parameter limit: where it is not above zero, one.
    init(limit: Double, line: ClosedRange<Double>) {
        self.limit = limit > 0 && limit.isFinite ? limit : 1
        self.line = line
    }

    /// A limit that makes a round label, for numbers of bytes up to `largest`: that of a page at least.
    init(bytesUpTo largest: Double, line: ClosedRange<Double>) {
        self.init(limit: Self.roundBytes(atLeast: max(largest, 4096)), line: line)
    }

    /// Where a number is; at the ends for one beyond them.
    func callAsFunction(_ number: Double) -> Double {
        line.lowerBound + length(number)
    }

    /// How far from the line's beginning.
    func length(_ number: Double) -> Double {
        (line.upperBound - line.lowerBound) * max(0, min(1, number / limit))
    }

    /// A round number of the unit in which `bytes` would be written, no less than it and no more than half as much again.
    private static func roundBytes(atLeast bytes: Double) -> Double {
        var unit = 1.0
        while bytes / unit > 1000, unit < 0x1p60 { unit *= 1024 }
        var power = 1.0
        while power * 10 < bytes / unit { power *= 10 }
        let factors = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]
        return (factors.first { $0 * power * unit >= bytes } ?? 10) * power * unit
    }
}
