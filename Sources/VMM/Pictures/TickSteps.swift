/// Round numbers to label an axis at.
enum TickSteps {
    /// The least power of two that is no less, for bytes. 2^63 where there is none.
    static func binary(atLeast step: Double) -> UInt64 {
        var power: UInt64 = 1
        while Double(power) < step, power < 1 << 63 { power <<= 1 }
        return power
    }

    /// The least of 1, 2 and 5 times a power of ten that is no less than a number above zero.
    static func decimal(atLeast step: Double) -> Double {
        guard step.isFinite, step > 1e-9 else { return 1e-9 }
        var power = 1e-9
        while power * 10 <= step { power *= 10 }
        // What is only just less is so by rounding.
        for factor in [1.0, 2, 5] where power * factor >= step * (1 - 1e-9) { return power * factor }
        return power * 10
    }

    /// The least that is no less among what clocks make round: as `decimal` below a minute, then 1, 2, 5, 10, 15 and 30
    /// minutes, and hours.
    static func seconds(atLeast step: Double) -> Double {
        if step <= 20 { return decimal(atLeast: step) }
        for round in [30.0, 60, 120, 300, 600, 900, 1800] where step <= round { return round }
        return decimal(atLeast: step / 3600) * 3600
    }
}
