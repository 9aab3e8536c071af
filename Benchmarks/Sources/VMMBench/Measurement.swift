import BenchmarkSupport

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
        name.padded(34, left: true) + ours.padded(22) + baseline.padded(22) + ratio.padded(8)
    }
}
