/// Numbers of bytes for readers: "1.25 GiB".
enum ByteText {
    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

    /// To three digits, in the largest unit of which there is one.
    static func rounded(_ bytes: Double) -> String {
        let (value, unit) = split(bytes)
        return value < 1023.5 ? "\(value.threeDigits) \(unit)" : ">999 \(unit)"
    }

    /// The same with zeros at the end, so that points in a column of numbers seldom move.
    static func aligned(_ bytes: Double) -> String {
        let (value, unit) = split(bytes)
        let places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return value < 1023.5 && unit != units[0] ? "\(value.decimal(exactPlaces: places)) \(unit)" : rounded(bytes)
    }

    private static func split(_ bytes: Double) -> (value: Double, unit: String) {
        var value = max(bytes, 0)
        var unit = 0
        while value >= 1023.5, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return (value, units[unit])
    }

    static func rounded(_ bytes: UInt64) -> String {
        rounded(Double(bytes))
    }

    static func rate(_ bytesPerSecond: Double) -> String {
        rounded(bytesPerSecond) + "/s"
    }

    /// The very number, where two digits after the point say it.
    static func exact(_ bytes: UInt64) -> String? {
        var unit = 0
        while unit < units.count - 1, bytes >> (10 * UInt64(unit + 1)) > 0 { unit += 1 }
        let size = UInt64(1) << (10 * UInt64(unit))
        // Quarters have two digits after the point, and eighths have three.
        guard size < 4 || bytes & (size / 4 - 1) == 0 else { return nil }
        return "\((Double(bytes) / Double(size)).decimal(places: 2)) \(units[unit])"
    }
}
