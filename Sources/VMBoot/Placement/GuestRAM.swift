import VMAddressSpace

/// The guest's RAM as ranges that are ascending and apart, and what to say when something is not in it.
struct GuestRAM {
    /// PC machines leave this range to devices: more RAM goes above it.
    static let deviceHole: Range<UInt64> = 0xc000_0000..<0x1_0000_0000

    let ranges: [MemoryRange]

    init(_ ranges: [MemoryRange]) {
        self.ranges = ranges.count < 2 ? ranges : Array(ranges.sorted().merged())
    }

    /// In bytes.
    var byteCount: UInt64 {
        ranges.reduce(0) { $0.addingSaturating($1.count) }
    }

    func contains(_ range: AddressRange) -> Bool {
        ranges.contains { $0.contains(range) }
    }

    /// - Parameter what: what needs the range, as the subject of a sentence.
    /// - Throws: `BootError` of kind `doesNotFit` where some of it is not RAM.
    func require(_ range: AddressRange, for what: String, of subject: String) throws(BootError) {
        guard !contains(range) else { return }
        let places = ranges.map(\.description).joined(separator: " ")
        let memory = ranges.isEmpty ? "no memory" : "\(byteText(byteCount)) of memory (\(places))"
        throw BootError(.doesNotFit, subject, "\(what) needs \(range), but the guest has \(memory); \(advice(range))")
    }

    private func advice(_ range: AddressRange) -> String {
        let hole = Self.deviceHole
        if range.last.rawValue >= hole.lowerBound, range.start.rawValue < hole.upperBound {
            return "there is never memory at 3 GiB to 4 GiB, so link or load it lower"
        }
        let needed = range.last.rawValue - (range.start.rawValue >= hole.upperBound ? UInt64(hole.count) : 0)
        guard needed < 1 << 40 else { return "link or load it at a lower physical address" }
        return "give it more memory (-m \(Self.megabytes(for: needed))M), or link or load it lower"
    }

    /// Whole MiB that include byte number `last`.
    static func megabytes(for last: UInt64) -> UInt64 {
        last / (1 << 20) + 1
    }
}
