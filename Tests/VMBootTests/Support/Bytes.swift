extension [UInt8] {
    mutating func set<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
        for index in 0..<(Number.bitWidth / 8) {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> Number(8 * index))
        }
    }

    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type = Number.self) -> Number {
        (0..<(Number.bitWidth / 8)).reduce(0) { $0 | Number(truncatingIfNeeded: self[offset + $1]) << Number(8 * $1) }
    }

    mutating func append<Number: FixedWidthInteger>(number: Number) {
        let start = count
        append(contentsOf: [UInt8](repeating: 0, count: Number.bitWidth / 8))
        set(number, at: start)
    }

    mutating func pad(to alignment: Int) {
        while count % alignment != 0 { append(0) }
    }

    /// The C string at `offset`.
    func text(at offset: Int) -> String {
        String(decoding: self[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
