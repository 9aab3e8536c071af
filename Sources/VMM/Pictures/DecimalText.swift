extension Double {
    /// It with so many digits after the point, zeros at the end left out. What is no number is a dash.
    /// - Parameter places: 0 to 6.
    func decimal(places: Int) -> String {
        var text = decimal(exactPlaces: places)
        guard text.contains("."), !text.contains("e") else { return text }
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }

    /// It with just so many digits after the point. What is no number is a dash.
    /// - Parameter places: 0 to 6.
    func decimal(exactPlaces places: Int) -> String {
        guard isFinite else { return "–" }
        let factor = (0..<places).reduce(Int64(1)) { power, _ in power * 10 }
        let scaled = (magnitude * Double(factor)).rounded()
        guard scaled < 0x1p53 else { return description }
        let number = Int64(scaled)
        let sign = self < 0 && number > 0 ? "-" : ""
        guard places > 0 else { return sign + "\(number)" }
        let fraction = "\(number % factor)"
        return sign + "\(number / factor)." + String(repeating: "0", count: places - fraction.count) + fraction
    }

    /// It with three significant digits, those before the point not rounded away.
    var threeDigits: String {
        decimal(places: magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0)
    }
}

extension UInt64 {
    /// So many of them: "1 page", "2 pages".
    func counted(_ noun: String) -> String {
        "\(grouped) \(noun)" + (self == 1 ? "" : "s")
    }

    /// With a narrow space between thousands.
    var grouped: String {
        var text = ""
        for (index, digit) in description.reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { text = "\u{202f}" + text }
            text = String(digit) + text
        }
        return text
    }
}
