/// Times for readers: "20 ms", "1.5 s", "2:05 min", "3 h".
enum DurationText {
    /// To three digits; to a second where there are minutes.
    static func rounded(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        return switch seconds {
        case 0: "0 s"
        case ..<0.000_000_999_5: "\((seconds * 1e9).threeDigits) ns"
        case ..<0.000_999_5: "\((seconds * 1e6).threeDigits) µs"
        case ..<0.999_5: "\((seconds * 1e3).threeDigits) ms"
        case ..<119.95: "\(seconds.threeDigits) s"
        case ..<7199.5: sixties(seconds) + " min"
        default: sixties(seconds / 60) + " h"
        }
    }

    /// "2:05" of 125, and "2" of 120.
    private static func sixties(_ number: Double) -> String {
        guard number < 0x1p50 else { return "–" }
        let whole = Int64(number.rounded())
        guard !whole.isMultiple(of: 60) else { return "\(whole / 60)" }
        return "\(whole / 60):" + (whole % 60 < 10 ? "0" : "") + "\(whole % 60)"
    }
}
