extension Double {
    /// With this many digits after the point.
    public func decimal(_ digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((magnitude * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let sign = self < 0 && scaled > 0 ? "-" : ""
        let point = digits > 0 ? "." + String(repeating: "0", count: digits - fraction.count) + fraction : ""
        return sign + "\(scaled / scale)" + point
    }
}

extension String {
    /// With spaces to fill `width`, on the left or the right.
    public func padded(_ width: Int, left: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - count))
        return left ? self + space : space + self
    }
}
