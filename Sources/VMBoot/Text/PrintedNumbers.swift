/// `0x…`, as addresses and offsets are written.
func hex(_ value: some BinaryInteger) -> String {
    "0x" + String(value, radix: 16)
}

/// A length in the largest unit that divides it.
func byteText(_ count: UInt64) -> String {
    let units: [(UInt64, String)] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
    for (size, name) in units where count >= size && count.isMultiple(of: size) {
        return "\(count / size) \(name)"
    }
    return count == 1 ? "1 byte" : "\(count) bytes"
}

extension FixedWidthInteger where Self: UnsignedInteger {
    func addingSaturating(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
