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

    /// A limit that makes a round label, for numbers up to `largest`.
    init(numbersUpTo largest: Double, line: ClosedRange<Double>) {
        self.init(limit: Self.round(atLeast: largest), line: line)
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
        return round(atLeast: bytes / unit) * unit
    }

    /// A number of one or two digits, no less than another, and no more than half as much again. 0 for what is no number above
    /// zero.
    private static func round(atLeast number: Double) -> Double {
        guard number.isFinite, number > 1e-12 else { return 0 }
        var power = 1.0
        while power * 10 < number { power *= 10 }
        while power > number { power /= 10 }
        let factors = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]
        // What is only just less is so by rounding.
        return (factors.first { $0 * power >= number * (1 - 1e-9) } ?? 10) * power
    }
}
