/// What a case has measured.
struct Measurement {
    let name: String
    let unit: String
    let ours: Double
    let baseline: Double

    /// Nil where the baseline is zero.
    var ratio: Double? { baseline == 0 ? nil : ours / baseline }

    var json: String {
        "{\"name\":\"\(name)\",\"unit\":\"\(unit)\",\"ours\":\(ours.decimal(3)),\"baseline\":\(baseline.decimal(3)),"
            + "\"ratio\":\(ratio.map { $0.decimal(3) } ?? "null")}"
    }
}

/// The table for people to read, a row as soon as it is measured.
enum Table {
    static let header = row("case", "ours", "baseline", "ratio")

    static func row(_ measurement: Measurement) -> String {
        row(
            measurement.name, "\(measurement.ours.decimal(1)) \(measurement.unit)",
            "\(measurement.baseline.decimal(1)) \(measurement.unit)", measurement.ratio.map { $0.decimal(3) } ?? "-")
    }

    private static func row(_ name: String, _ ours: String, _ baseline: String, _ ratio: String) -> String {
        padded(name, 34, left: true) + padded(ours, 22) + padded(baseline, 22) + padded(ratio, 8)
    }

    private static func padded(_ text: String, _ width: Int, left: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return left ? text + space : space + text
    }
}

extension Double {
    /// With this many digits after the point.
    func decimal(_ digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((magnitude * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let sign = self < 0 && scaled > 0 ? "-" : ""
        return sign + "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
